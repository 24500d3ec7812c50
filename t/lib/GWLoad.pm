package GWLoad;

# Copyright (C) The nginx gateway modules authors

# Clients that ask a gateway for as long and as often as a test wants, in a
# process of their own, and what access logs prove about a limit.
#
#     my $load = GWLoad->new(targets => [[$gw, '/a'], [$gw, '/b']], n => 8);
#
#     $load->rate(1000);          # requests a second, to all targets in turn
#     wait_for(sub { $load->results > 5000 }, 'requests');
#     $load->rate('max');         # as many as the connections allow
#     $load->only(0, 2);          # these targets alone; all if none is given
#     $load->rate(0);             # a pause; it begins with one
#     my @results = $load->stop;  # when all responses are there
#
# Each target has n connections, which stay open.  A result is [target, when
# it was sent, when the response was complete, status].  The status is 0 if
# the connection was closed instead, as a gateway that is reloaded does with
# connections on which nothing was going on.
#
# Functions
#
#   conf($http, $locations)
#       a configuration with the ratelimit module alone, two workers that
#       share the connections evenly, and an access log for logged()
#
#   pipelined($gw, $n, \&path, $connections, $depth)
#       asks $gw for path(0) to path($n - 1), up to $depth at a time on each
#       connection, and returns { STATUS => HOW OFTEN }
#
#   logged($gw, ...)
#       the access logs: { pid, from, to, took, status, limit, path } of each
#       request, by the time of the log.  It was decided between "from" and
#       "to", milliseconds since the epoch: both are sound, whatever the clock
#       that nginx keeps was behind.  "took" are milliseconds.
#
#   excess($per_second, @requests)
#       of all times between two moments, the one in which most more of these
#       requests were decided than $per_second allows: how many more
#
#   tat($redis, $key)
#       the time at which a bucket will be full, in microseconds

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

use GWTest;

our @EXPORT_OK = qw(conf excess logged pipelined tat);


sub conf {
    my ($http, $locations) = @_;

    s/^(?=.)/    /mg for $http;
    s/^(?=.)/        /mg for $locations;

    return <<"END";
load_module  modules/ngx_http_gw_ratelimit_module.so;

user              www-data;
worker_processes  2;
pid               /run/nginx.pid;
error_log         /var/log/nginx/error.log notice;

events {
    worker_connections  1024;
}

http {
    log_format  load  '\$pid \$msec \$request_time \$status '
                      '\$gw_ratelimit_status \$uri';

    access_log          /var/log/nginx/access.log load;
    keepalive_requests  1000000;

$http
    server {
        listen  8080 reuseport;

$locations    }
}
END
}


sub new {
    my ($class, %arg) = @_;

    my $file = run_dir() . '/load' . ++(our $loads);

    open(my $out, '>', $file) or die "$file: $!\n";
    pipe(my $orders, my $to) or die "pipe: $!\n";

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        close($to);
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);

        eval { run($orders, $out, %arg); 1 } or warn "load: $@";
        POSIX::_exit(0);
    }

    open(my $in, '<', $file) or die "$file: $!\n";

    return bless { pid => $pid, to => $to, in => $in, results => [],
                   rest => '' }, $class;
}


sub rate {
    my ($self, $rate) = @_;

    $self->order("rate $rate");
}


sub only {
    my ($self, @targets) = @_;

    $self->order("only @targets");
}


sub order {
    my ($self, $text) = @_;

    syswrite($self->{to}, "$text\n") // die "the load has ended: $!\n";
}


sub results {
    my ($self) = @_;

    seek($self->{in}, 0, 1);

    while (sysread($self->{in}, $self->{rest}, 65536,
                   length $self->{rest}))
    {
        my @lines = split /\n/, $self->{rest}, -1;

        $self->{rest} = pop @lines;
        push @{$self->{results}}, map { [ split / / ] } @lines;
    }

    return @{$self->{results}};
}


sub stop {
    my ($self) = @_;

    close(delete $self->{to}) if $self->{to};
    waitpid(delete $self->{pid}, 0) if $self->{pid};

    return $self->results;
}


# what follows is the other process

sub run {
    my ($orders, $out, %arg) = @_;

    my (@open, @lines, $more, $text);
    my @idle = map { [] } @{$arg{targets}};
    my @turn = 0 .. $#idle;
    my ($rate, $next, $end) = (0, time, 0);

    for my $n (0 .. $#idle) {
        my ($gw, $path) = @{$arg{targets}[$n]};

        push @{$idle[$n]}, { target => $n, port => $gw->port,
                             request => "GET $path HTTP/1.1\r\n"
                                        . "Host: localhost\r\n\r\n" }
            for 1 .. $arg{n};
    }

    my $mask = '';

    vec($mask, fileno($orders), 1) = 1;

    while (!$end || @open && time < $end) {
        my $now = time;

        # it does not catch up with more than the last 50 ms

        $next = $now - 0.05 if $next < $now - 0.05 || $rate eq 'max';

        while (!$end && $rate && $next <= $now) {
            my ($n) = grep { @{$idle[$turn[$_]]} } 0 .. $#turn;

            last if !defined $n;

            push @turn, splice @turn, $n, 1;

            my $c = pop @{$idle[$turn[-1]]};

            $next += 1 / $rate if $rate ne 'max';
            ask($c);
            push @open, $c;
            vec($mask, $c->{fd}, 1) = 1;
        }

        my $wait = $rate && $rate ne 'max' && $next > $now ? $next - $now
                                                           : 0.05;

        select(my $ready = $mask, undef, undef, $wait);

        if (vec($ready, fileno($orders), 1)) {
            if (!sysread($orders, $text, 4096)) {
                $end = time + 20;
                vec($mask, fileno($orders), 1) = 0;

            } else {
                for (split /\n/, $text) {
                    my ($order, @args) = split / /;

                    $rate = $args[0] if $order eq 'rate';
                    @turn = @args ? @args : 0 .. $#idle if $order eq 'only';
                }
            }
        }

        @open = grep {
            my $c = $_;
            my $fd = $c->{fd};

            if (vec($ready, $fd, 1) && answered($c)) {
                push @lines, sprintf("%d %.6f %.6f %d\n", $c->{target},
                                     $c->{sent}, time, $c->{status});
                vec($mask, $fd, 1) = 0;
                push @{$idle[$c->{target}]}, $c;
                0;

            } else {
                1;
            }
        } @open;

        syswrite($out, join '', splice @lines) if @lines;
    }

    syswrite($out, join '', map { sprintf("%d %.6f %.6f 0\n", $_->{target},
                                          $_->{sent}, time) } @open);
}


sub ask {
    my ($c) = @_;

    if (!$c->{fh}) {
        $c->{fh} = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                         PeerPort => $c->{port},
                                         Timeout => 10)
            or die "connect: $!\n";
        $c->{fd} = fileno($c->{fh});
        setsockopt($c->{fh}, IPPROTO_TCP, TCP_NODELAY, 1);
    }

    $c->{text} = '';
    $c->{sent} = time;
    syswrite($c->{fh}, $c->{request});
}


# false if there is more to come

sub answered {
    my ($c) = @_;

    if (!sysread($c->{fh}, $c->{text}, 65536, length $c->{text})) {
        $c->{status} = 0;
        delete $c->{fh};
        return 1;
    }

    my ($status, $head) = $c->{text}
        =~ m{\AHTTP/1\.1 (\d{3})(.*?\r\n)\r\n}s or return 0;
    my $size = $+[0];
    my ($length) = $head =~ /^Content-Length: (\d+)/mi;

    return 0 if length $c->{text} < $size + ($length // 0);

    $c->{status} = $status;
    delete $c->{fh} if $head =~ /^Connection: close/mi;

    return 1;
}


sub pipelined {
    my ($gw, $n, $path, $connections, $depth) = @_;

    my ($next, %statuses, %clients) = (0);
    my $mask = '';

    for (1 .. $connections) {
        my $fh = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $gw->port)
            or die "connect: $!\n";

        setsockopt($fh, IPPROTO_TCP, TCP_NODELAY, 1);
        $clients{fileno($fh)} = { fh => $fh, left => 0, text => '' };
        vec($mask, fileno($fh), 1) = 1;
    }

    while (1) {
        for my $c (values %clients) {
            next if $c->{left} || $next == $n;

            my $last = $next + $depth < $n ? $next + $depth : $n;

            $c->{left} = $last - $next;
            syswrite($c->{fh},
                     join '', map { 'GET ' . $path->($_) . " HTTP/1.1\r\n"
                                    . "Host: localhost\r\n\r\n" }
                              $next .. $last - 1);
            $next = $last;
        }

        last if !grep { $_->{left} } values %clients;

        select(my $ready = $mask, undef, undef, 30) or die "no answer\n";

        for my $fd (grep { vec($ready, $_, 1) } keys %clients) {
            my $c = $clients{$fd};

            sysread($c->{fh}, $c->{text}, 65536, length $c->{text})
                or die "the connection was closed\n";

            # one that is not complete stays

            my $end = 0;

            while ($c->{text} =~ m{HTTP/1\.1 (\d{3}) .*?\r\n\r\n}gs) {
                $statuses{$1}++;
                $c->{left}--;
                $end = $+[0];
            }

            substr($c->{text}, 0, $end) = '';
        }
    }

    return \%statuses;
}


# The clock of a line is that of the turn of the event loop, a moment before;
# the next turn of this worker was certainly later.

sub logged {
    my @requests;

    for my $gw (@_) {
        my (%last, %time);

        for my $line (split /\n/, $gw->access_log) {
            my ($pid, $at, $took, $status, $limit, $path)
                = $line =~ /\A(\d+) ([\d.]+) ([\d.]+) (\d+) (\S+) (\S+)\z/
                or die "access log: \"$line\"\n";

            s/\.// for $at, $took;
            $took += 0;

            if (($time{$pid} // 0) != $at) {
                $_->{to} = $at + 1 for @{$last{$pid}};
                $last{$pid} = [];
                $time{$pid} = $at;
            }

            push @requests, { pid => $pid, at => $at, from => $at - $took,
                              took => $took, status => $status,
                              limit => $limit, path => $path };
            push @{$last{$pid}}, $requests[-1];
        }

        my $now = int(time * 1000) + 1;

        $_->{to} = $now for map { @$_ } values %last;
    }

    @requests = sort { $a->{at} <=> $b->{at} } @requests;

    return @requests;
}


# Requests that were decided between a and b are at least those with "from"
# not before a and "to" not after b.  Moments are visited in order, as b, and
# for all a at once a tree holds how many requests began since, less what the
# rate gives.  Its nodes have the sum of their part, and the greatest sum of a
# part's end.

sub excess {
    my ($rate, @requests) = @_;

    return 0 if !@requests;

    my %seen = map { $_ => 1 } map { ($_->{from}, $_->{to}) } @requests;
    my @times = sort { $a <=> $b } keys %seen;
    my %index;

    @index{@times} = 0 .. $#times;

    my $size = 1;

    $size *= 2 while $size < @times;

    my @sum = (0) x (2 * $size);
    my @best = (0) x (2 * $size);
    my $most = 0;

    # a leaf: the requests that began then, less what comes until the next

    my $add = sub {
        my ($i, $n) = @_;

        $i += $size;
        $sum[$i] += $n;
        $best[$i] = $sum[$i];

        while ($i > 1) {
            $i >>= 1;

            my ($left, $right) = (2 * $i, 2 * $i + 1);
            my $with = $best[$left] + $sum[$right];

            $sum[$i] = $sum[$left] + $sum[$right];
            $best[$i] = $with > $best[$right] ? $with : $best[$right];
        }
    };

    my @by_end = sort { $a->{to} <=> $b->{to} } @requests;

    for my $i (0 .. $#times) {
        $add->($i - 1, -$rate * ($times[$i] - $times[$i - 1]) / 1000) if $i;

        while (@by_end && $by_end[0]{to} == $times[$i]) {
            $add->($index{(shift @by_end)->{from}}, 1);
        }

        $most = $best[1] if $best[1] > $most;
    }

    return $most;
}


sub tat {
    my ($redis, $key) = @_;

    return $redis->command('GET', $key) || 0;
}


1;
