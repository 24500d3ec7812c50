# Copyright (C) The nginx gateway modules authors

# Leases: requests pass without asking Redis, and Redis still knows of every
# token: those that nobody spent come back, whatever becomes of the gateway.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;
use Time::HiRes qw(time);


our $server = redis_server('leases');

$ENV{TEST_NGINX_LEASES} = $server->port;


sub own {
    return ask($ENV{TEST_NGINX_LEASES}, @_);
}


# the only gateway, or the second one, with "limits" in /t.txt, when it knows
# how many there are

my @gateways;

sub leasing {
    my ($limits, $nodes, %arg) = @_;

    if (!$arg{second}) {
        $_->stop for splice @gateways;
        own('DEL', 'gw:nodes');
    }

    my $port = '$TEST_NGINX_LEASES';
    my $gateway = gateway(<<"END", <<"END2", %arg);
    gw_ratelimit_redis  redis://127.0.0.1:$port timeout=10s;
END
        location = /m {
            return  200 "\$gw_ratelimit_metrics";
        }

        location = /t.txt {
            $limits
        }
END2

    wait_for(sub { metric($gateway, 'gw_ratelimit_nodes') >= $nodes },
             "$nodes gateways");

    push @gateways, $gateway;

    return $gateway;
}


sub metric {
    my ($gateway, $name) = @_;

    my ($n) = http('/m', $gateway->port) =~ /^\Q$name\E (\d+)$/m;

    return $n // 0;
}


sub held {
    return metric($_[0], 'gw_ratelimit_lease_tokens_held');
}


sub leased {
    return metric($_[0], 'gw_ratelimit_lease_tokens_total{event="leased"}');
}


sub now {
    my $time = own('TIME');

    return $time->[0] * 1_000_000 + $time->[1];
}


# The first request takes so many tokens that the bucket is neither full nor
# empty during this test, however slow the machine is: each can be counted.

our $gone = 60_000;
our $limit = 'gw_ratelimit calls key=$arg_k rate=20r/s burst=100000 lease=10%
              cost=$arg_c;';


# a request that takes them, and others, each of which passes; when Redis had
# the first one

sub spend {
    my ($gateway, $key, $n) = @_;

    my @first = (now());

    passes($gateway, "$key&c=$gone");
    push @first, now();
    passes($gateway, $key) for 1 .. $n;

    return @first;
}


sub passes {
    my ($gateway, $key) = @_;

    my $response = http("/t.txt?k=$key", $gateway->port);

    header($response, 'X-Status') eq 'passed' or die $response;
}


# as many tokens are gone as were spent: the bucket will be full so much later
# than it was asked first, and it was never full again in between

sub is_spent {
    my ($key, $tokens, $from, $to) = @_;

    my $full = own('GET', $key) // 0;
    my $time = ($gone + $tokens) * 50_000;

    cmp_ok($full, '>=', $from + $time, "$key: not fewer tokens");
    cmp_ok($full, '<=', $to + $time, "$key: not more tokens");
}


add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "    location = /other.txt { }\n");
    $block->set_value('request', 'GET /other.txt');
});

same_day();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: a busy caller costs few questions
--- init
my $gateway = leasing('gw_ratelimit calls key=$arg_k rate=1000r/s burst=1000
                       lease=10%;', 1);
my ($asked, %limits) = in_time(5, sub {
    my $path = "/t.txt?k=$_[0]";
    my $n = evals($ENV{TEST_NGINX_LEASES});
    my %limits;
    $limits{header(http($path, $gateway->port), 'X-Limits')}++ for 1 .. 300;
    return (evals($ENV{TEST_NGINX_LEASES}) - $n, %limits);
});
is(join(' ', sort keys %limits), 'calls=leased calls=passed', 'all pass');
cmp_ok($limits{'calls=leased'}, '>', 200, 'most of them by a lease');
cmp_ok($asked, '<', 100, "few questions: $asked");



=== TEST 2: a caller who comes once gets no lease
--- init
my $gateway = leasing('gw_ratelimit calls key=$arg_k rate=1000r/s burst=1000
                       lease=10%;', 1);
http("/t.txt?k=once$_", $gateway->port) for 1 .. 20;
is(leased($gateway), 0, 'no tokens');



=== TEST 3: tokens that nobody spent are given back
--- init
my $gateway = leasing($main::limit, 1);
my @first = spend($gateway, 'idle', 100);
cmp_ok(leased($gateway), '>', 0, 'there were leases');
wait_for(sub { held($gateway) == 0 }, 'the leases to end');
wait_for(sub {
    return metric($gateway,
                  'gw_ratelimit_lease_tokens_total{event="returned"}');
}, 'tokens to be given back');
is_spent('gw:{idle}:calls', 100, @first);



=== TEST 4: when a gateway ends, too
--- init
my $gateway = leasing($main::limit, 1);
my $n = 100;
my @first = spend($gateway, 'exit', $n);
$n++, passes($gateway, 'exit') while held($gateway) == 0;
$gateway->stop;
is_spent('gw:{exit}:calls', $n, @first);



=== TEST 5: when a worker is killed, the next one gives them back
--- init
my $gateway = leasing($main::limit, 1);
my $n = 100;
my @first = spend($gateway, 'kill', $n);
$n++, passes($gateway, 'kill') while held($gateway) == 0;
my $pid = header(http('/m', $gateway->port), 'X-Pid');
kill('KILL', $pid);
wait_for(sub {
    my $response = eval { http('/m', $gateway->port) } // '';
    return $response =~ /^X-Pid: (\d+)/m && $1 != $pid;
}, 'another worker');
wait_for(sub { held($gateway) == 0 }, 'the leases to end');
wait_for(sub {
    return metric($gateway,
                  'gw_ratelimit_lease_tokens_total{event="returned"}');
}, 'tokens to be given back');
is_spent('gw:{kill}:calls', $n, @first);



=== TEST 6: workers share a lease
--- init
my $gateway = leasing($main::limit, 1, workers => 2);
my $n = 100;
my @first = spend($gateway, 'share', $n);
wait_for(sub { held($gateway) == 0 }, 'the leases to end');
$gateway->stop;
is_spent('gw:{share}:calls', $n, @first);



=== TEST 7: a caller refused by another limit gets his leased tokens back
--- init
my $gateway = leasing("$main::limit
                       gw_ratelimit few key=\$arg_k rate=1r/d burst=61;", 1);
my @first = spend($gateway, 'refund', 60);
cmp_ok(leased($gateway), '>', 0, 'there were leases');
is(says('/t.txt?k=refund', $gateway->port), '429 limited', 'refused');
is(says('/t.txt?k=refund', $gateway->port), '429 limited', 'from memory');
$gateway->stop;
is_spent('gw:{refund}:calls', 60, @first);



=== TEST 8: what is leased is of the quota, not more and not less
--- init
my $gateway = leasing('gw_ratelimit calls key=$arg_k rate=1000r/s burst=1000
                       quota=40/day lease=10%;', 1);
my $passed = 0;
wait_for(sub {
    $passed++ if says('/t.txt?k=quota', $gateway->port) eq '200 passed';
    return $passed == 40;
}, '40 requests');
cmp_ok(leased($gateway), '>', 0, 'there were leases');
like(answers(5, '/t.txt?k=quota', $gateway->port),
     qr/\A(429 limited(, |\z)){5}\z/, 'no more');
wait_for(sub { held($gateway) == 0 }, 'the leases to end');
$gateway->stop;
is(own('GET', 'gw:{quota}:calls/day') % 2**36, 40, 'as many as were spent');



=== TEST 9: two gateways give no more than one
--- init
my @gateways = map {
    leasing('gw_ratelimit calls key=$arg_k rate=40r/s burst=100 lease=20%;',
            $_, second => $_ - 1);
} 1, 2;
wait_for(sub { metric($gateways[0], 'gw_ratelimit_nodes') == 2 },
         'the first one to know of the second');
my ($start, $passed, @refused) = (time(), 0, 0, 0);
wait_for(sub {
    for my $i (0, 1) {
        my $says = says('/t.txt?k=two', $gateways[$i]->port);
        $says eq '200 passed' ? $passed++ : $refused[$i]++;
    }
    return $refused[0] > 50 && $refused[1] > 50;
}, 'refusals of both');
my $most = 100 + 40 * (time() - $start);
cmp_ok(leased($_), '>', 0, 'there were leases') for @gateways;
cmp_ok($passed, '<=', $most, 'the rate holds');
cmp_ok($passed, '>=', 100 - 20, 'the burst is there, but for leases');



=== TEST 10: machines are counted, and none that is gone
--- init
my $gateway = leasing('gw_ratelimit calls key=$arg_k rate=1000r/s burst=1000
                       lease=10%;', 1);
is(metric($gateway, 'gw_ratelimit_nodes'), 1, 'one');
like(own('ZRANGE', 'gw:nodes', 0, -1)->[0], qr/\A[0-9a-f]{16}\z/, 'its name');
own('ZADD', 'gw:nodes', now(), 'other');
wait_for(sub { metric($gateway, 'gw_ratelimit_nodes') == 2 }, 'two');
own('ZADD', 'gw:nodes', now() - 11_000_000, 'other');
wait_for(sub { metric($gateway, 'gw_ratelimit_nodes') == 1 }, 'one');
is(own('ZCARD', 'gw:nodes'), 1, 'the other is forgotten');
own('SET', 'gw:nodes', 'not a set');
my $n = metric($gateway, 'gw_ratelimit_heartbeats_total');
wait_for(sub {
    slurp($gateway->dir . '/logs/error.log') =~ /gw leases: heartbeat failed/;
}, 'a failed heartbeat');
is(metric($gateway, 'gw_ratelimit_nodes'), 1, 'the last number stays');
own('DEL', 'gw:nodes');
wait_for(sub { metric($gateway, 'gw_ratelimit_heartbeats_total') > $n },
         'the next heartbeat');



=== TEST 11: a rate so low that machines would starve each other
--- init
my $gateway = leasing('gw_ratelimit calls key=$arg_k rate=10r/s burst=1000
                       lease=50%;', 1);
my %limits;
$limits{header(http('/t.txt?k=low', $gateway->port), 'X-Limits')}++
    for 1 .. 30;
is(join(' ', %limits), 'calls=passed 30', 'Redis is asked each time');
is(leased($gateway), 0, 'no tokens');



=== TEST 12: a lease does not outlive a ban
--- init
my $gateway = leasing('gw_ratelimit calls key=$arg_k rate=1000r/s burst=1000
                       lease=50% ban=10m after=20;', 1);
my $limits = sub {
    return header(http('/t.txt?k=banned', $gateway->port), 'X-Limits');
};
wait_for(sub {
    return 20 == grep { $limits->() eq 'calls=leased' } 1 .. 20;
}, 'a lease that lasts');
own('SET', 'gw:{banned}:calls/ban', -1, 'PX', 600_000);
my $passed = 0;
$passed++ while $passed < 5000 && $limits->() ne 'calls=banned';
cmp_ok($passed, '<', 400, "refused after $passed more");
is(says('/t.txt?k=banned', $gateway->port), '429 banned', 'and then');



=== TEST 13: without Redis nothing is leased, and what is held ends
--- init
my $gateway = leasing('gw_ratelimit calls key=$arg_k rate=1000r/s burst=1000
                       lease=10% error=deny;', 1);
spend($gateway, 'away', 100);
$main::server->stop;
wait_for(sub {
    return says('/t.txt?k=away', $gateway->port) eq '503 unavailable';
}, 'the end of the lease');
wait_for(sub { held($gateway) == 0 }, 'the leases to end');
$main::server->start;
wait_for(sub {
    return header(http('/t.txt?k=away', $gateway->port), 'X-Limits')
           eq 'calls=leased';
}, 'another lease');
