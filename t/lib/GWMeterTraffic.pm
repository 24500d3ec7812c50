package GWMeterTraffic;

# Copyright (C) The nginx gateway modules authors

# Requests of all kinds to a metering gateway, from a process of its own, and
# the upstream to which they go, another process.  Both write down at once
# which requests they saw, by the gateway's ids.
#
#     my $upstream = GWMeterTraffic::Upstream->new;    # ->port ->requests
#     my $traffic = GWMeterTraffic->new(port => $gw->port, n => 24,
#                                       rate => 500, seed => 1);
#
#     wait_for(sub { $traffic->count > 5000 }, 'requests');
#     $traffic->rate(100);        # a second
#     $traffic->stop;             # when what is under way is answered
#     for ($traffic->requests) { my ($how, $request_id, $kind, $status) = @$_ }
#
# The client has n connections, which stay open until the server closes them,
# and asks again on a new one.  It knows of a request, in the order of time,
#
#     answered    the head of a response was there
#     gone        the connection was closed before
#     broken      the same, and it was its first request; or nobody listens
#     silent      nothing came for 60 seconds
#     left        it went away before there was an answer
#
# Requests are, in parts that "kinds" may change: "quick" ones, "slow" ones
# that take the upstream up to 300 ms, "post" with a body, "big" responses,
# "here" that nginx itself answers, "unread": the same with a body that nobody
# reads and that does not come to its end, after which the client goes,
# "leave": it goes before the answer, "cut": it goes before the end of the
# body, "no": nginx rejects them.
#
# Paths: /up with the arguments delay (ms) and size (bytes) of the upstream,
# /here a file, /no rejected.  The gateway has to send X-Request-Id both
# upstream and to the client.

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

use GWTest ();


my %PARTS = (quick => 50, slow => 18, post => 8, big => 3, here => 5,
             unread => 4, leave => 5, cut => 3, no => 4);

my %KINDS = (
    quick => sub { { text => get('/up') } },
    slow => sub { { text => get('/up?delay=' . int rand 300) } },
    post => sub { { text => post('/up?delay=' . int(rand 20), rand 20_000) } },
    big => sub { { text => get('/up?size=' . int rand 400_000) } },
    here => sub { { text => get('/here') } },
    no => sub { { text => get('/no') } },
    unread => sub {
        { text => get('/here', 'Content-Length: 60000') . 'x' x rand 9000,
          close => rand 0.5, after => 1 }
    },
    leave => sub {
        { text => get('/up?delay=' . int rand 300), close => rand 0.15 }
    },
    cut => sub {
        my $text = post('/up', 20_000);
        { text => substr($text, 0, 200 + rand(length($text) - 201)),
          close => rand 0.15 }
    },
);

my $number = 0;


sub new {
    my ($class, %arg) = @_;

    my $self = bless {
        file => GWTest::run_dir() . '/traffic' . ++$number,
        requests => [],
        rest => '',
    }, $class;

    open(my $out, '>', $self->{file}) or die "$self->{file}: $!\n";
    pipe(my $orders, $self->{to}) or die "pipe: $!\n";

    $self->{pid} = background(sub {
        close($self->{to});
        client($orders, $out, n => 24, rate => 500, seed => 1, %arg,
               parts => { %PARTS, %{$arg{kinds} || {}} });
    });

    open($self->{in}, '<', $self->{file}) or die "$self->{file}: $!\n";
    GWTest::started($self);

    return $self;
}


sub background {
    my ($run) = @_;

    my $pid = fork() // die "fork: $!\n";

    return $pid if $pid;

    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);

    eval { $run->(); 1 } or warn 'traffic: ', $@;
    POSIX::_exit(0);
}


sub rate {
    my ($self, $rate) = @_;

    syswrite($self->{to}, "$rate\n") // die "the client has ended: $!\n";
}


sub requests {
    my ($self) = @_;

    seek($self->{in}, 0, 1);

    while (sysread($self->{in}, $self->{rest}, 65536, length $self->{rest})) {
        my @lines = split /\n/, $self->{rest}, -1;

        $self->{rest} = pop @lines;
        push @{$self->{requests}}, map { [ split / / ] } @lines;
    }

    return @{$self->{requests}};
}


sub count {
    my ($self) = @_;

    return scalar $self->requests;
}


sub stop {
    my ($self) = @_;

    close(delete $self->{to}) if $self->{to};
    waitpid(delete $self->{pid}, 0) if $self->{pid};
}


sub get {
    my ($path, @headers) = @_;

    return join "\r\n", "GET $path HTTP/1.1", 'Host: localhost', @headers,
                        '', '';
}


sub post {
    my ($path, $size) = @_;

    $size = int $size;

    return "POST $path HTTP/1.1\r\nHost: localhost\r\n"
           . "Content-Length: $size\r\n\r\n" . 'x' x $size;
}


# what follows is the other process

sub client {
    my ($orders, $out, %arg) = @_;

    my @deck = map { ($_) x $arg{parts}{$_} } sort keys %{$arg{parts}};
    my @idle = map { {} } 1 .. $arg{n};
    my ($rate, $next, $end) = ($arg{rate}, time, 0);
    my (@open, @lines);
    my $mask = '';

    srand($arg{seed});
    vec($mask, fileno($orders), 1) = 1;

    while (!$end || @open && time < $end) {
        my $now = time;

        # it does not catch up with more than the last 50 ms

        $next = $now - 0.05 if $next < $now - 0.05;

        while (!$end && $rate && @idle && $next <= $now) {
            my $c = shift @idle;

            $next += 1 / $rate;

            if (ask($c, $arg{port}, $deck[rand @deck])) {
                push @open, $c;
                vec($mask, $c->{fd}, 1) = 1;

            } else {
                push @lines, "broken - $c->{kind} 0\n";
                push @idle, $c;
                last;
            }
        }

        select(my $ready = $mask, undef, undef, 0.005);
        $now = time;

        if (vec($ready, fileno($orders), 1)) {
            if (sysread($orders, my $text, 4096)) {
                ($rate) = $text =~ /(\d+)\n\z/;

            } else {
                $end = $now + 90;
                vec($mask, fileno($orders), 1) = 0;
            }
        }

        @open = grep {
            my $c = $_;

            if (turn($c, vec($ready, $c->{fd}, 1), $now, \@lines)) {
                vec($mask, $c->{fd}, 1) = 0;
                delete $c->{fh} if $c->{closed};
                push @idle, $c;
                0;

            } else {
                1;
            }
        } @open;

        syswrite($out, join '', splice @lines) if @lines;
    }
}


sub ask {
    my ($c, $port, $kind) = @_;

    my $fh = $c->{fh};

    %$c = (kind => $kind, start => time, in => '', fh => $fh,
           %{$KINDS{$kind}->()});

    if (!$c->{fh}) {
        $c->{first} = 1;
        $c->{fh} = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                         PeerPort => $port, Timeout => 30)
            or return 0;
        setsockopt($c->{fh}, IPPROTO_TCP, TCP_NODELAY, 1);
    }

    $c->{fd} = fileno($c->{fh});

    # one that is closed is noticed when it is read

    syswrite($c->{fh}, $c->{text});

    return 1;
}


# true if it is over

sub turn {
    my ($c, $ready, $now, $lines) = @_;

    my $late = defined $c->{close} && $now > $c->{start} + $c->{close};

    if ($ready) {
        my $n = sysread($c->{fh}, $c->{in}, 262_144, length $c->{in});

        $c->{closed} = 1 if !$n;

        if (!$c->{answered} && $c->{in} =~ /\r\n\r\n/) {
            my $head = substr $c->{in}, 0, $+[0];
            my ($status) = $head =~ m{\AHTTP/1\.1 (\d{3}) };
            my ($id) = $head =~ /^X-Request-Id: ([0-9a-f]{32})\r$/mi;
            my ($size) = $head =~ /^Content-Length: (\d+)\r$/mi;

            push @$lines, sprintf("answered %s %s %d\n", $id // '-',
                                  $c->{kind}, $status // 0);

            $c->{answered} = 1;
            $c->{size} = length($head) + ($size // 0);
            $c->{last} = $head =~ /^Connection: close\r$/mi;
        }
    }

    if ($c->{closed}) {
        push @$lines, ($c->{first} ? 'broken' : 'gone') . " - $c->{kind} 0\n"
            if !$c->{answered};
        return 1;
    }

    if ($c->{answered} && !$c->{after} && length $c->{in} >= $c->{size}) {
        $c->{closed} = $c->{last} || defined $c->{close};
        return 1;
    }

    return 0 if !$late && $now < $c->{start} + 60;

    push @$lines, ($late ? 'left' : 'silent') . " - $c->{kind} 0\n"
        if !$c->{answered};

    return $c->{closed} = 1;
}


package GWMeterTraffic::Upstream;

use Time::HiRes qw(time);


sub new {
    my ($class) = @_;

    my $self = bless {
        file => GWTest::run_dir() . '/upstream' . ++$number,
    }, $class;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                       Listen => 511)
        or die "cannot listen: $!\n";

    open(my $log, '>', $self->{file}) or die "$self->{file}: $!\n";

    $self->{port} = $listen->sockport;
    $self->{pid} = GWMeterTraffic::background(sub { serve($listen, $log) });
    GWTest::started($self);

    return $self;
}


sub port { $_[0]{port} }


sub requests {
    my ($self) = @_;

    return split /\n/, GWTest::slurp($self->{file});
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    kill('KILL', $pid);
    waitpid($pid, 0);
}


# the other process

my ($listen, $log, %conn);
my ($reads, $writes) = ('', '');


sub serve {
    ($listen, $log) = @_;

    $listen->blocking(0);
    vec($reads, fileno($listen), 1) = 1;

    while (1) {
        my $wait = (grep { $_->{at} } values %conn) ? 0.005 : 1;

        select(my $r = $reads, my $w = $writes, undef, $wait);

        if (vec($r, fileno($listen), 1)) {
            while (my $fh = $listen->accept) {
                $fh->blocking(0);
                setsockopt($fh, Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(),
                           1);
                vec($reads, fileno($fh), 1) = 1;
                $conn{fileno($fh)} = { fh => $fh, in => '', out => '',
                                       skip => 0 };
            }
        }

        my $now = time;

        for my $fd (keys %conn) {
            my $c = $conn{$fd};

            fill($fd, $c) if vec($r, $fd, 1);
            next if !$conn{$fd};
            respond($c) if $c->{at} && $c->{at} <= $now;
            flush_out($fd, $c) if length $c->{out};
        }
    }
}


sub fill {
    my ($fd, $c) = @_;

    my $n = sysread($c->{fh}, $c->{in}, 65536, length $c->{in});

    if (defined $n ? $n == 0 : !$!{EAGAIN}) {
        return drop($fd);
    }

    # a request is noted as soon as its head is there

    if (!$c->{head} && $c->{in} =~ /\r\n\r\n/) {
        my $head = substr $c->{in}, 0, $+[0], '';

        $head =~ /^X-Request-Id: ([0-9a-f]{32})\r$/mi
            or die "a request without id: $head";
        syswrite($log, "$1\n");

        $c->{head} = 1;
        ($c->{skip}) = $head =~ /^Content-Length: (\d+)\r$/mi;
        $c->{skip} //= 0;
        ($c->{size}) = $head =~ /[?&]size=(\d+)/;
        ($c->{delay}) = $head =~ /[?&]delay=(\d+)/;
    }

    return if !$c->{head} || $c->{at};

    my $here = length $c->{in};

    $here = $c->{skip} if $here > $c->{skip};
    substr($c->{in}, 0, $here) = '';
    $c->{skip} -= $here;

    $c->{at} = time + ($c->{delay} // 0) / 1000 if $c->{skip} == 0;
}


sub respond {
    my ($c) = @_;

    my $size = $c->{size} // 12;

    $c->{out} .= "HTTP/1.1 200 OK\r\nContent-Length: $size\r\n\r\n"
                 . 'y' x $size;
    $c->{head} = $c->{at} = 0;
}


sub flush_out {
    my ($fd, $c) = @_;

    my $n = syswrite($c->{fh}, $c->{out});

    if (!defined $n) {
        return drop($fd) if !$!{EAGAIN};
        $n = 0;
    }

    substr($c->{out}, 0, $n) = '';
    vec($writes, $fd, 1) = length $c->{out} ? 1 : 0;
}


sub drop {
    my ($fd) = @_;

    vec($reads, $fd, 1) = vec($writes, $fd, 1) = 0;
    delete $conn{$fd};
}


1;
