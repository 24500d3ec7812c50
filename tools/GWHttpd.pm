package GWHttpd;

# Copyright (C) The nginx gateway modules authors

# A small server for samples and tests: HTTP/1.1 with keepalive on loopback,
# one process, any number of connections.
#
#     httpd($port, sub { my ($req) = @_; return {...} })
#
# listens on 127.0.0.1, 0 for any port, prints "listening PORT", and calls
# the function for each request, complete, as { method, uri, http, headers,
# body }.  Names of headers are in lower case, values of one name are joined
# by ", ".  The function returns how to answer:
#
#     status type body    200, application/json, none
#     headers             more of them, [NAME, VALUE, ...]
#     delay               ms until it is sent
#     hold                true: not before release(), which asks again
#     cut                 only so many bytes of the body are sent, then it
#                         stops, or with "close" closes the connection
#     raw                 bytes that are sent in place of all that
#     close               the connection is closed after it
#
# waiting() is how many requests are held or delayed, release() asks the
# function again about those that are held.

use strict;
use warnings;

use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

our @EXPORT = qw(httpd release waiting);

my $MAX_HEAD = 64 * 1024;
my $MAX_BODY = 16 * 1024 * 1024;

my %REASON = (200 => 'OK', 400 => 'Bad Request', 404 => 'Not Found',
              413 => 'Too Large');

my ($listen, $reads, $writes, $handler, %conn, @delayed);


sub httpd {
    (my $port, $handler) = @_;

    $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                    LocalPort => $port || 0,
                                    Listen => 511, ReuseAddr => 1)
        or die "cannot listen on 127.0.0.1:" . ($port || 0) . ": $!\n";

    $reads = IO::Select->new($listen);
    $writes = IO::Select->new();

    $listen->blocking(0);
    $SIG{PIPE} = 'IGNORE';
    $SIG{INT} = $SIG{TERM} = sub { exit 0 };

    STDOUT->autoflush(1);
    print "listening ", $listen->sockport, "\n";

    turn() while 1;
}


sub waiting {
    return scalar grep { $_->{waiting} } values %conn;
}


sub release {
    for my $c (grep { $_->{held} } values %conn) {
        my $req = delete $c->{held};

        $c->{waiting} = 0;
        answer($c, $req);
        serve($c);
    }
}


sub turn {
    my ($r, $w) = IO::Select->select($reads, $writes, undef, pause());

    for my $fh (@{$w || []}) {
        flush_out($conn{$fh}) if $conn{$fh};
    }

    for my $fh (@{$r || []}) {
        if ($fh == $listen) {
            accept_all();

        } elsif ($conn{$fh}) {
            fill_in($conn{$fh});
        }
    }

    while (@delayed && $delayed[0]{at} <= time) {
        my $due = shift @delayed;
        my $c = $due->{conn};

        next if $c->{closed};

        $c->{waiting} = 0;
        send_out($c, $due->{text});
        serve($c);
    }
}


# seconds until the first delayed answer is due

sub pause {
    return undef if !@delayed;

    my $left = $delayed[0]{at} - time;

    return $left > 0 ? $left : 0;
}


sub accept_all {
    while (my $fh = $listen->accept) {
        $fh->blocking(0);
        $conn{$fh} = { fh => $fh, in => '', out => '' };
        $reads->add($fh);
    }
}


sub fill_in {
    my ($c) = @_;

    my $n = sysread($c->{fh}, $c->{in}, 65536, length $c->{in});

    if (defined $n ? $n == 0 : !$!{EAGAIN}) {
        drop($c);
        return;
    }

    serve($c);
}


# answers what is complete; answers of one connection keep their order

sub serve {
    my ($c) = @_;

    while (!$c->{waiting} && !$c->{closed} && !$c->{closing}) {
        my $req = parse($c) or return;

        answer($c, $req);
    }
}


# takes one request off the input, undef if more has to come

sub parse {
    my ($c) = @_;

    my $end = index($c->{in}, "\r\n\r\n");

    if ($end < 0) {
        return length $c->{in} > $MAX_HEAD ? { error => 400 } : undef;
    }

    my ($line, @lines) = split /\r\n/, substr($c->{in}, 0, $end);
    my %req = (headers => {}, body => '', http => 1.1);

    $line =~ m{\A(\S+) (\S+) HTTP/(1\.[01])\z} or return { error => 400 };
    @req{qw(method uri http)} = ($1, $2, $3);

    for (@lines) {
        /\A([^:\s]+):[ \t]*(.*?)[ \t]*\z/s or return { error => 400 };

        my ($name, $value) = (lc $1, $2);

        $req{headers}{$name} = exists $req{headers}{$name}
            ? "$req{headers}{$name}, $value" : $value;
    }

    my $size;

    if (lc($req{headers}{'transfer-encoding'} // '') eq 'chunked') {
        ($size, $req{body}) = chunked(substr($c->{in}, $end + 4));

    } else {
        $size = $req{headers}{'content-length'} // 0;
        $size =~ /\A\d{1,10}\z/ or return { error => 400 };
        $req{body} = substr($c->{in}, $end + 4, $size);
    }

    if (!defined $size || length $c->{in} < $end + 4 + $size) {
        return length $c->{in} > $MAX_BODY ? { error => 413 } : undef;
    }

    substr($c->{in}, 0, $end + 4 + $size) = '';

    return \%req;
}


# the size on the wire and the content, nothing if more has to come

sub chunked {
    my ($in) = @_;
    my ($pos, $body) = (0, '');

    while (substr($in, $pos) =~ /\A([0-9a-fA-F]{1,7})[^\r\n]*\r\n/) {
        my $size = hex $1;
        my $data = $pos + $+[0];

        if ($size == 0) {
            my $end = index($in, "\r\n\r\n", $data - 2);

            return $end < 0 ? () : ($end + 4, $body);
        }

        return if length $in < $data + $size + 2;

        $body .= substr($in, $data, $size);
        $pos = $data + $size + 2;
    }

    return;
}


sub answer {
    my ($c, $req) = @_;

    my $how = $req->{error} ? { status => $req->{error}, close => 1 }
                            : $handler->($req);

    if ($how->{hold}) {
        $c->{waiting} = 1;
        $c->{held} = $req;
        return;
    }

    my $connection = lc($req->{headers}{connection} // '');

    $c->{closing} = 1 if $how->{close}
                         || $connection eq 'close'
                         || ($req->{http} // 1.0) < 1.1
                            && $connection ne 'keep-alive';

    my $text = $how->{raw} // response($c, $req, $how);

    if (!$how->{delay}) {
        send_out($c, $text);
        return;
    }

    $c->{waiting} = 1;
    @delayed = sort { $a->{at} <=> $b->{at} }
        @delayed, { at => time + $how->{delay} / 1000, conn => $c,
                    text => $text };
}


sub response {
    my ($c, $req, $how) = @_;

    my $status = $how->{status} // 200;
    my $body = $status == 204 || $status == 304 ? '' : $how->{body} // '';
    my $size = length $body;
    my @headers = @{$how->{headers} || []};

    $body = '' if ($req->{method} // '') eq 'HEAD';
    $body = substr $body, 0, $how->{cut} if defined $how->{cut};

    # what was cut off never comes

    $c->{waiting} = 1 if defined $how->{cut} && !$how->{close};

    return "HTTP/1.1 $status " . ($REASON{$status} || 'Sample') . "\r\n"
           . 'Content-Type: ' . ($how->{type} // 'application/json') . "\r\n"
           . ($status == 204 ? '' : "Content-Length: $size\r\n")
           . ($c->{closing} ? "Connection: close\r\n" : '')
           . join('', map { "$headers[2 * $_]: $headers[2 * $_ + 1]\r\n" }
                      0 .. @headers / 2 - 1)
           . "\r\n"
           . $body;
}


sub send_out {
    my ($c, $text) = @_;

    $c->{out} .= $text;
    flush_out($c);
}


sub flush_out {
    my ($c) = @_;

    while (length $c->{out}) {
        my $n = syswrite($c->{fh}, $c->{out});

        if (!defined $n) {
            return drop($c) if !$!{EAGAIN};

            $writes->add($c->{fh});
            return;
        }

        substr($c->{out}, 0, $n) = '';
    }

    $writes->remove($c->{fh});
    drop($c) if $c->{closing} && !$c->{waiting};
}


sub drop {
    my ($c) = @_;

    return if $c->{closed};

    $c->{closed} = 1;
    $reads->remove($c->{fh});
    $writes->remove($c->{fh});
    delete $conn{$c->{fh}};
    close $c->{fh};
}


1;
