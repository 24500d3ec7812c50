# Copyright (C) The nginx gateway modules authors

# What nodes of a Redis cluster say when something is wrong with them: maps
# without sense, redirects without end or aim.

use strict;
use warnings;

use Test::More;

use GWAuthService;
use GWE2E;
use GWRedisNodes;
use GWTest;


my $record = bulk('subject', 'subject-1');

# a key that always is found; so it tells when the map is known

my $warm = 99;


# one gateway after the other asks these fakes

sub with {
    my ($title, $fakes, $code, $cold) = @_;

    my $hosts = join ',', map { '127.0.0.1:' . $_->port } @$fakes;
    my $gw = key_gateway("redis://$hosts cluster timeout=10s",
                         name => "gateway-" . $title =~ s/\W+/-/gr);
    my ($worker) = $gw->workers;

    subtest($title => sub {
        eval {
            wait_for(sub { look($gw, $warm)->{status} == 200 }, 'the map')
                if !$cold;
            $code->($gw);
            1;
        } or fail("died: $@");

        is_deeply([ $gw->workers ], [ $worker ], 'the same worker');
        $gw->stop;
        is_deeply([ trouble_in($gw) ], [], 'nothing went wrong');
    });

    $_->stop for @$fakes;

    return $gw;
}


sub server {
    my ($code) = @_;

    return fake(sub {
        my ($n, $name, $key) = @_;

        return $record if $name eq 'HGETALL' && $key eq record($warm);
        return $code->(@_);
    });
}


sub hgetalls {
    my ($fake) = @_;

    return scalar grep { $_->[1] ne record($warm) } $fake->commands('HGETALL');
}


# requests at once; for different keys, since those for the same one share an
# answer

sub crowd {
    my ($gw) = @_;

    return map { who($_) }
           at_once($gw, map { [ '/key/', headers =>
                                ['X-API-Key' => key($_)] ] } 1 .. 20);
}


# the map

my @useless = (
    "-ERR This instance has cluster support disabled\r\n",
    "-NOPERM no permission\r\n",
    "*0\r\n", "*-1\r\n", "\$-1\r\n", ":1\r\n", "+OK\r\n",
    "*1\r\n*0\r\n", "*1\r\n:1\r\n", "*1\r\n*2\r\n:0\r\n:1\r\n",
    "*1\r\n*3\r\n:0\r\n:16383\r\n:1\r\n",
    "*1\r\n*3\r\n:0\r\n:16383\r\n*0\r\n",
    "*1\r\n*3\r\n+0\r\n:16383\r\n*2\r\n\$1\r\na\r\n:1\r\n",
    "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n\$1\r\na\r\n\$1\r\n1\r\n",
    slots([0, 16384, '127.0.0.1', 1]), slots([-1, 5, '127.0.0.1', 1]),
    slots([5, 4, '127.0.0.1', 1]), slots([0, '9' x 18, '127.0.0.1', 1]),
    slots([0, 16383, '127.0.0.1', -1]), slots([0, 16383, '127.0.0.1', 65536]),
    slots([0, 16383, '127.0.0.1', 0]), slots([0, 16383, '?', 6379]),
    slots([0, 16383, "a b\r\n", 6379]), slots([0, 16383, 'h' x 300, 6379]),
    slots([0, 9, '127.0.0.1', 1], [9, 16383, '127.0.0.1', 2]),
    slots(map { [0, 16383, '127.0.0.1', 7000 + $_] } 1 .. 3000),
    slots([0, 5000, '127.0.0.1', 1], [-1, 5, '127.0.0.1', 1]),
    "*1\r\n" x 20, "HTTP/1.1 400 Bad Request\r\n\r\n", undef,
);

my $file = run_dir() . '/good';

my @fakes = map {
    my $k = $_;

    fake(sub {
        my ($n, @command) = @_;

        return $record if $command[0] eq 'HGETALL';
        return $n < 2 ? $useless[$n * 15 + $k]
             : -e $file ? slots([0, 16383, '', GWTest::slurp($file)])
             : "*0\r\n";
    })
} 0 .. 14;

# an empty host is the node that was asked, whoever that is

my $gw = with('maps without sense', \@fakes, sub {
    my ($gw) = @_;

    my %seen;

    wait_for(sub {
        $seen{who(look($gw, 1))}++;
        !grep { (() = $_->commands('CLUSTER')) < 2 } @fakes;
    }, 'all to be asked twice', 120);

    is_deeply([ keys %seen ], ['503 - redis_unavailable'],
              'as long as there is no map, nothing but 503');

    GWTest::write_file('good', $fakes[0]->port);
    wait_for(sub { found(look($gw, 1), 1) }, 'a map that is good');
}, 1);

like($gw->error_log, qr/no node of \S+ tells the slots/, 'the log tells why');


# on a machine that is so slow that the map comes too late there is another try

for my $try (1 .. 10) {
    my $slow = fake(sub {
        my ($n, @command) = @_;

        return $record if $command[0] eq 'HGETALL';

        Time::HiRes::sleep(0.1);
        return slots([0, 16383, undef, $GWRedisFake::PORT]);
    });

    my $late = 0;

    with("the map is late, try $try", [ $slow ], sub {
        my ($gw) = @_;

        my @answers = crowd($gw);

        $late = $gw->error_log =~ /tells the slots/;
        return if $late;

        is_deeply(\@answers, [ ('200 subject-1 ok') x 20 ], 'all waited');
        is(scalar $slow->commands('CLUSTER'), 1, 'it was asked for once');
    }, 1);

    last if !$late;
}


# a worker lives on when those who waited for the map have left; the file lets
# the node answer

my $held = fake(sub {
    my ($n, @command) = @_;

    return $record if $command[0] eq 'HGETALL';

    GWTest::wait_for(sub { -e run_dir() . '/held' }, 'the file', 60);
    return slots([0, 16383, '', $GWRedisFake::PORT]);
});

with('those who waited have left', [ $held ], sub {
    my ($gw) = @_;

    my @waiting = map { open_to($gw, "GET /key/ HTTP/1.1\r\nHost: a\r\n"
                                     . 'X-API-Key: ' . key($_) . "\r\n\r\n") }
                  1 .. 20;

    waiting($gw, 20);
    leave(@waiting);
    waiting($gw, 0);

    GWTest::write_file('held', '');
    wait_for(sub { found(look($gw, 1), 1) }, 'the map');
}, 1);


my @many = map { fake(sub {
    my ($n, @command) = @_;

    return $record if $command[0] eq 'HGETALL';

    my $i = 0;
    my @nodes = map { [ $i * 50, $i++ * 50 + 49, '127.0.0.1', $_ ] }
                1 .. 299;

    return slots([15000, 16383, '127.0.0.1', $GWRedisFake::PORT], @nodes);
}) } 1;

$gw = with('too many nodes', \@many, sub {
    my ($gw) = @_;

    my ($i) = grep { slot_of($_) >= 15000 } 1 .. 1000;

    wait_for(sub { who(look($gw, $i)) eq '200 subject-1 ok' },
             'the first nodes to be known');
    pass('the first nodes are known');
}, 1);

like($gw->error_log, qr/has more than 256 nodes/, 'the log tells');


# redirects

sub redirected {
    my ($title, $says, $calls, $want) = @_;

    my $node = server(sub {
        my ($n, @command) = @_;

        return $command[0] ne 'HGETALL' ? "-ERR what?\r\n"
             : ref $says ? $says->($n) : $says;
    });

    my $map = server(sub { slots([0, 16383, '127.0.0.1', $node->port]) });

    with($title, [ $map, $node ], sub {
        my ($gw) = @_;

        is(who(look($gw, 1)), $want // '503 - redis_unavailable', 'answer');
        is(hgetalls($node), $calls, "the node was asked $calls times");
    });
}

my $dead = free_port();
my $slot = slot_of(1);

redirected('MOVED to itself', sub { "-MOVED $slot :$GWRedisFake::PORT\r\n" },
           6);
redirected('MOVED to itself once', sub {
    return $_[0] ? $record : "-MOVED $slot :$GWRedisFake::PORT\r\n";
}, 2, '200 subject-1 ok');

for my $garbage ('MOVED', 'MOVED ', 'MOVED x', "MOVED $slot",
                 "MOVED $slot 127.0.0.1", "MOVED $slot 127.0.0.1:0",
                 "MOVED $slot 127.0.0.1:65536", "MOVED 16384 127.0.0.1:1",
                 "MOVED -1 127.0.0.1:1", "MOVED $slot ?:6379",
                 "MOVED $slot a b:1", 'MOVED ' . 'x' x 70000, 'ASK',
                 "ASK $slot", "ASK $slot a/b:1", 'CLUSTERDOWN Hash slot not '
                 . 'served', 'CROSSSLOT Keys in request')
{
    redirected(substr($garbage, 0, 40), "-$garbage\r\n", 1);
}

redirected('TRYAGAIN twice', sub {
    return $_[0] < 2 ? "-TRYAGAIN Multiple keys request\r\n" : $record;
}, 3, '200 subject-1 ok');

redirected('TRYAGAIN for ever', "-TRYAGAIN Multiple keys request\r\n", 6);
redirected('MOVED to a dead node', "-MOVED $slot 127.0.0.1:$dead\r\n", 1);
redirected('ASK to a dead node', "-ASK $slot 127.0.0.1:$dead\r\n", 1);


# what MOVED says is taken at once, before the map was read again

my $new = server(sub { $_[1] eq 'HGETALL' ? $record : "-ERR\r\n" });

my $old = server(sub {
    my ($n, @command) = @_;

    return "-MOVED $slot 127.0.0.1:" . $new->port . "\r\n"
        if $command[0] eq 'HGETALL';
    return $n ? '' : slots([0, 16383, '', $GWRedisFake::PORT]);
});

with('MOVED', [ $old ], sub {
    my ($gw) = @_;

    is_deeply([ grep { !found(look($gw, 1), 1) } 1 .. 20 ], [],
              'all are answered');
    is(hgetalls($old), 1, 'the old node is asked once');
    is(hgetalls($new), 20, 'then the new one');
});

$new->stop;


# two nodes point at each other

my @pair = map {
    my $other = $_ ? 0 : 1;

    server(sub {
        my ($n, @command) = @_;

        return slots([0, 16383, '', $GWRedisFake::PORT])
            if $command[0] eq 'CLUSTER';

        my @ports = split / /, GWTest::slurp(run_dir() . '/pair');

        return "-MOVED $slot 127.0.0.1:$ports[$other]\r\n";
    });
} 0, 1;

GWTest::write_file('pair', join ' ', map { $_->port } @pair);

with('MOVED without end', \@pair, sub {
    my ($gw) = @_;

    is(who(look($gw, 1)), '503 - redis_unavailable', 'answer');
    is(hgetalls($pair[0]) + hgetalls($pair[1]), 6, 'six times were enough');
});


# each MOVED names a node that was never heard of: there are bounds

my $mover = server(sub {
    my ($n, @command) = @_;

    return slots([0, 16383, '', $GWRedisFake::PORT])
        if $command[0] eq 'CLUSTER';

    my $key = hex substr $command[1], -4;

    return $record if $n;
    return "-MOVED $slot 127.9." . ($key >> 8) . '.' . ($key & 255) . ":1\r\n";
});

with('MOVED to anywhere', [ $mover ], sub {
    my ($gw) = @_;

    my %seen;

    $seen{look($gw, $_)->{status}}++ for grep { $_ != $warm } 1 .. 600;
    is_deeply([ keys %seen ], [503], 'answer');

    wait_for(sub { found(look($gw, 1), 1) }, 'the map to win');
});


# ASK: ASKING comes right before the command, on the same connection

my $asked = server(sub {
    my ($n, @command) = @_;

    return $command[0] eq 'ASKING' ? "+OK\r\n"
         : $command[0] eq 'HGETALL' ? $record : "-ERR\r\n";
});

my $asker = server(sub {
    my ($n, @command) = @_;

    return $command[0] eq 'CLUSTER'
        ? slots([0, 16383, '', $GWRedisFake::PORT])
        : "-ASK $slot 127.0.0.1:" . $asked->port . "\r\n";
});

with('ASK', [ $asker ], sub {
    my ($gw) = @_;

    is_deeply([ crowd($gw) ], [ ('200 subject-1 ok') x 20 ],
              'all are answered');
    is(hgetalls($asker), 20, 'the owner is asked each time');

    my $text = join ' ', map { $_->[0] } $asked->commands;

    is($text, join(' ', 'PING', ('ASKING HGETALL') x 20), 'with ASKING');
});

$asked->stop;

done_testing();
