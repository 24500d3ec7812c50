package GWAuthService;

# Copyright (C) The nginx gateway modules authors

# The sample auth service as a GWTest::Server, and a gateway that asks it.
#
#     my $service = GWAuthService->new;
#     my $gw = auth_gateway(http => TEXT, server => TEXT, ...);
#
#     $service->knows('opaque', sub => 'alice');
#     is(who($gw->get('/', token => 'opaque')), '200 alice ok');
#
#   ->knows(TOKEN, NAME => VALUE, ...)   an active token with these claims;
#                       undef leaves one out, "exp" is in an hour by default
#   ->says(TOKEN, TEXT)                  the answer, as it is
#   ->does(introspect => MODE, jwks => MODE)   as tools/auth-service says
#   ->counts            requests per endpoint; ->asked of them introspections
#   ->forget            starts to count again
#   ->location(URI, PATH, MORE)          a location that proxies there
#
# auth_gateway() is a GWTest::Gateway with the auth module alone, whose
# responses say who called.  Arguments: http and server => what stands there
# besides, workers => how many; edit and others as GWTest::Gateway takes them,
# upstream => a server for proxy_pass http://127.0.0.1:8081.
#
# who($response) is "STATUS SUBJECT REASON", with "-" for what is not there;
# is_down($response, $title) checks that it is a 503 of ours.
#
# waiting($gw, $n) waits until so many requests are under way.  open_to($gw,
# TEXT) sends it, receive($fh, $n) returns so many responses from there,
# leave($fh) leaves by a reset.
#
# metric($gw, NAME, LABEL => VALUE, ...) is what $gw_auth_metrics says.
#
# nothing_wrong($gw, SECRET, ...) checks that nothing is in the logs that
# should not be, neither trouble nor a secret.
#
# Names of locations of the gateway: /status (stub_status), /metrics.

use strict;
use warnings;

use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More ();
use Time::HiRes qw(time);

use GWTest ();

our @ISA = qw(GWTest::Server);

our @EXPORT = qw(auth_gateway is_down leave metric nothing_wrong open_to
                 receive waiting who);

my $json = JSON::PP->new->canonical->utf8;


sub new {
    my ($class, $name) = @_;

    my $self = GWTest::Server::new($class, 'auth-service',
                                   $name || 'auth-service');

    GWTest::key_file('rsa.pem');
    link("$ENV{TEST_NGINX_KEYS}/jwks.json", "$self->{dir}/jwks.json")
        or die "jwks.json: $!\n";

    return $self;
}


sub ask {
    my ($self, $method, $path, %arg) = @_;

    my $r = GWTest::request($self->port, $method, $path, %arg);

    $r->{status} =~ /\A20/ or die "auth service: $path: $r->{status}\n";

    return $r->{json};
}


sub knows {
    my ($self, $token, %claims) = @_;

    %claims = (active => JSON::PP::true, exp => time + 3600, %claims);
    $claims{exp} = int $claims{exp} if defined $claims{exp};

    delete @claims{grep { !defined $claims{$_} } keys %claims};

    return $self->says($token, $json->encode(\%claims));
}


sub says {
    my ($self, $token, $text) = @_;

    my $name = $token =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger;

    $self->ask('PUT', "/answer?token=$name", body => $text);

    return $token;
}


sub does {
    my ($self, %mode) = @_;

    $self->ask('POST', '/control?' . join '&', map { "$_=$mode{$_}" }
                                               keys %mode);
}


sub counts { return $_[0]->ask('GET', '/counts') }
sub asked  { return $_[0]->counts->{introspect} // 0 }
sub forget { return $_[0]->ask('GET', '/counts?reset=1') }


sub location {
    my ($self, $uri, $path, $more) = @_;

    my $port = $self->port;

    return <<"END" . ($more // '') . "}\n";
location = $uri {
    internal;
    proxy_pass  http://127.0.0.1:$port$path;
END
}


sub auth_gateway {
    my (%arg) = @_;

    my $workers = delete $arg{workers} // 1;
    my ($http, $server) = map { delete $arg{$_} // '' } qw(http server);

    return GWTest::Gateway->new(conf => <<"END", %arg);
load_module  modules/ngx_http_gw_auth_module.so;

user              www-data;
worker_processes  $workers;
pid               /run/nginx.pid;
error_log         /var/log/nginx/error.log info;

worker_shutdown_timeout  30s;

events {
    worker_connections  1024;
}

http {
    log_format  who  '\$request \$status \$gw_subject \$gw_auth_status';

    access_log  /var/log/nginx/access.log who;

$http
    server {
        listen  8080;

        add_header  X-Subject   \$gw_subject always;
        add_header  X-Reason    \$gw_auth_status always;
        add_header  X-Provider  \$gw_auth_provider always;
        add_header  X-Degraded  \$gw_auth_degraded always;
        add_header  X-Tier      \$gw_tier always;
        add_header  X-Scope     \$gw_scope always;
        add_header  X-Client    \$gw_client always;
        add_header  X-Pid       \$pid always;

        location = /status {
            gw_auth  off;
            stub_status;
        }

        location = /metrics {
            gw_auth  off;
            gw_metrics;
        }

$server
    }
}
END
}


sub who {
    my ($r) = @_;

    return join ' ', $r->{status},
                     map { $r->{headers}{$_} // '-' } qw(x-subject x-reason);
}


sub is_down {
    my ($r, $title) = @_;

    my $h = $r->{headers};

    Test::More::is(join(' ', $r->{status}, $h->{'content-type'} // '-',
                        $r->{json}{status} // '-',
                        $h->{'www-authenticate'} // '-'),
                   '503 application/problem+json 503 -', $title);
    Test::More::like($h->{'retry-after'}, qr/\A[1-9]\d*\z/,
                     "$title: Retry-After");
}


# with the one that asks it is one more

sub waiting {
    my ($gw, $n) = @_;

    GWTest::wait_for(sub {
        my ($busy) = $gw->get('/status')->{body} =~ /Writing: (\d+)/;

        defined $busy && $busy == $n + 1;
    }, "$n requests to wait");
}


sub open_to {
    my ($gw, $text) = @_;

    my $fh = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                   PeerPort => $gw->port) or die "$!\n";

    syswrite($fh, $text);

    return $fh;
}


# of a connection that is kept: each as GWTest::request() returns it

sub receive {
    my ($fh, $n) = @_;

    my ($text, @responses) = ('');
    my $end = time + 30;

    while (@responses < $n) {

        if ($text =~ /\A(.*?\r\n\r\n)/s) {
            my ($head, $size) = ($1, 0);

            $size = $1 if $head =~ /^Content-Length: *(\d+)/mi;

            if (length $text >= length($head) + $size) {
                my %r = (body => substr($text, length $head, $size));

                ($r{status}) = $head =~ m{\AHTTP/1.1 (\d+)};
                $r{headers} = { map { lc($_->[0]) => $_->[1] }
                                map { [ /\A([^:]+): *(.*)\z/ ] }
                                grep { /:/ } split /\r\n/, $head };

                push @responses, \%r;
                substr($text, 0, length($head) + $size) = '';
                next;
            }
        }

        last if !IO::Select->new($fh)->can_read($end - time);
        last if !sysread($fh, $text, 65536, length $text);
    }

    return @responses;
}


sub leave {
    for my $fh (@_) {
        setsockopt($fh, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
        close($fh);
    }
}


sub metric {
    my ($gw, $name, %labels) = @_;

    my ($sum, $found) = (0, 0);

    for (split /\n/, $gw->get('/metrics')->{body}) {
        my ($labels, $value) = /\A\Q$name\E(?:\{(.*)\})? (\S+)\z/ or next;

        next if grep { index($labels // '', qq($_="$labels{$_}")) < 0 }
                     keys %labels;

        $sum += $value;
        $found = 1;
    }

    return $found ? $sum : undef;
}


sub nothing_wrong {
    my ($gw, @secrets) = @_;

    my @trouble = ($gw->trouble,
                   grep { /Sanitizer: |runtime error: / }
                   split /\n/, $gw->error_log);

    Test::More::is(join("\n", @trouble), '', 'nothing went wrong');

    my $logs = $gw->error_log . $gw->access_log;

    Test::More::is(join(' ', grep { index($logs, $_) >= 0 } @secrets), '',
                   'no credential in the logs');
}


1;
