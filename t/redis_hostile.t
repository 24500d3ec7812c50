# Copyright (C) The nginx gateway modules authors

# Hosts of a cluster that have several addresses, no name for themselves, no
# slots, or more of them than usual; and replies that announce more than can
# be.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use GWAuthService;
use GWE2E;
use GWRedis;
use GWRedisNodes;
use GWTest;


my $record = bulk('subject', 'subject-1');
my $dns = GWRedis::Dns->new;

my $resolver = 'resolver 127.0.0.1:' . $dns->port . ' ipv6=off valid=1s;';

my $gateways = 0;


sub with {
    my ($redis, $code, %arg) = @_;

    my $gw = key_gateway($redis, name => 'gateway-' . ++$gateways, %arg);
    my ($worker) = $gw->workers;

    eval { $code->($gw); 1 } or fail("died: $@");

    is_deeply([ $gw->workers ], [ $worker ], 'the same worker');
    $gw->stop;
    is_deeply([ trouble_in($gw) ], [], 'nothing went wrong');
}


sub answers {
    my ($gw, $title) = @_;

    wait_for(sub { found(look($gw, 1), 1) }, $title);
    pass($title);
}


# the most memory it ever had, in kB

sub peak {
    my ($gw) = @_;

    my ($worker) = $gw->workers;
    my ($peak) = GWTest::slurp("/proc/$worker/status") =~ /VmPeak:\s+(\d+)/;

    return $peak;
}


# a node that holds all slots, and says this host for itself

sub node {
    my ($host) = @_;

    return fake(sub {
        my ($n, @command) = @_;

        return $record if $command[0] eq 'HGETALL';
        return slots([0, 16383, $host, $GWRedisFake::PORT]);
    });
}


# whichever address comes first, nobody listens at the other one

for my $case (['no host', undef], ['an empty host', '']) {
    my ($title, $host) = @$case;

    subtest("a name of two addresses, the node announces $title" => sub {
        my $node = node($host);

        $dns->knows('cluster.test', ['127.0.0.1', '127.0.0.2']);

        with('redis://cluster.test:' . $node->port . ' cluster timeout=10s',
             sub {
            my ($gw) = @_;

            answers($gw, 'found');

            is(scalar grep({ !found(look($gw, 1), 1) } 1 .. 10), 0,
               'as long as it is there');
        }, http => $resolver);

        cmp_ok(scalar $node->commands('CLUSTER'), '>', 0, 'it was asked');
        $node->stop;
    });

    subtest("an address, the node announces $title" => sub {
        my $node = node($host);

        with('redis://127.0.0.1:' . $node->port . ' cluster timeout=10s',
             sub { answers($_[0], 'found') });

        $node->stop;
    });
}


# Nobody asks again but for a request, and then after a while: the time that
# has passed bounds how often.  Each time, two hosts have three connections at
# most, since it may begin with the second one.

for my $case (
    ['no slots', "*0\r\n"],
    ['no cluster', "-ERR This instance has cluster support disabled\r\n"],
) {
    my ($title, $says) = @$case;

    subtest("hosts that know $title" => sub {
        my $from = time;
        my @hosts = map { fake(sub { $says }) } 1, 2;

        my $asked = sub {
            return scalar map { $_->commands('PING') } @hosts;
        };

        with('redis://' . join(',', map { '127.0.0.1:' . $_->port } @hosts)
             . ' cluster timeout=10s', sub {
            my ($gw) = @_;

            is(who(look($gw, 1)), '503 - redis_unavailable', 'refused');

            like($gw->error_log, qr/no node of \S+ tells the slots/,
                 'when both had answered, not at the deadline')
                or return;

            cmp_ok($asked->(), '>=', 2, 'both were asked');

            look($gw, 1) for 1 .. 200;

            my $asks = 2 + (time - $from) / 0.5;

            cmp_ok($asked->(), '<=', 3 * $asks, 'connections are few');
        });

        $_->stop for @hosts;
    });
}


# it is enough to announce them, for memory is taken for all at once

for my $n (2147483647, 20000000, 400000) {
    subtest("an array of $n" => sub {
        my $node = fake(sub {
            my ($calls, $name, $key) = @_;

            return $key eq record(2) ? "*$n\r\n" : $record;
        });

        with('redis://127.0.0.1:' . $node->port . ' timeout=10s', sub {
            my ($gw) = @_;

            answers($gw, 'found');

            my $peak = peak($gw);

            is(who(look($gw, 2)), '503 - redis_unavailable', 'refused');
            like($gw->error_log, qr/sent an invalid reply/, 'and why');

            cmp_ok(peak($gw) - $peak, '<', 64 * 1024, 'no memory was taken');
            answers($gw, 'others are served');
        });

        $node->stop;
    });
}


# as after many moves of slots, with all that nodes may tell of themselves

subtest('a map of 400 KB' => sub {
    my $of_node = sub {
        my ($host, $port) = @_;

        return "*4\r\n\$" . length($host) . "\r\n$host\r\n:$port\r\n"
               . "\$40\r\n" . 'a' x 40 . "\r\n"
               . bulk('hostname', 'redis-cluster-0001.redis.default');
    };

    my $size = run_dir() . '/size';

    my $node = fake(sub {
        my ($n, @command) = @_;

        return $record if $command[0] eq 'HGETALL';

        my $map = "*1024\r\n" . join '', map {
            "*5\r\n:" . $_ * 16 . "\r\n:" . ($_ * 16 + 15) . "\r\n"
            . $of_node->('127.0.0.1', $GWRedisFake::PORT)
            . $of_node->('10.111.12.13', 6379)
            . $of_node->('10.111.12.14', 6379);
        } 0 .. 1023;

        GWTest::write_file('size', length $map);

        return $map;
    });

    with('redis://127.0.0.1:' . $node->port . ' cluster timeout=10s', sub {
        my ($gw) = @_;

        answers($gw, 'found');
        cmp_ok(GWTest::slurp($size), '>', 400_000, 'so large it was');
        unlike($gw->error_log, qr/invalid reply/, 'it was taken');
    });

    $node->stop;
});

done_testing();
