# Copyright (C) The nginx gateway modules authors

# Two gateways on one Redis and one caller: in whatever time between two
# moments, no more is let in than burst + rate * time, plus what the gateways
# have leased.  It is proven by their access logs.  Nor is it less: a caller
# who always asks gets his rate.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use GWE2E qw(trouble_in workers_of);
use GWLoad qw(conf excess logged tat);
use GWTest;


my ($rate, $burst, $percent) = (1000, 2000, 10);
my $leases = $burst * $percent / 100;
my $interval = 1_000_000 / $rate;

my $redis = GWTest::Server->new('redis');

my @gw = map {
    GWTest::Gateway->new(name => "gateway-$_", redis => $redis,
                         conf => conf(<<"HTTP", <<"LOCATIONS"))
gw_ratelimit_redis  redis://127.0.0.1:6379 timeout=2s;
HTTP
location /leased {
    gw_ratelimit  leased key=hot rate=${rate}r/s burst=$burst
                  lease=$percent%;
    empty_gif;
}

location /strict {
    gw_ratelimit  strict key=hot rate=${rate}r/s burst=$burst;
    empty_gif;
}

location = /metrics {
    gw_metrics;
}
LOCATIONS
} 1, 2;

my @workers = map { workers_of($_, 2) } @gw;


# Before each knows of the other, they might lease more than their parts.

wait_for(sub {
    !grep { $_->get('/metrics')->{body} !~ /^gw_ratelimit_nodes 2$/m } @gw;
}, 'both to know that they are two');

# so many connections that each worker gets some of them

my $load = GWLoad->new(n => 10, targets => [
    map { my $gw = $_; map { [ $gw, $_ ] } qw(/leased /strict) } @gw
]);


# Tokens that were taken from Redis and not given back, of the requests since
# the bucket was full for the last time.  While it is not, no request that was
# let in has none.

sub taken_since {
    my ($name, $tat) = @_;

    return (tat($redis, "gw:{hot}:$name") - $tat) / $interval;
}


sub refused {
    my ($path) = @_;

    my %which = $path eq '/leased' ? (0 => 1, 2 => 1) : (1 => 1, 3 => 1);

    return scalar grep { $which{$_->[0]} && $_->[3] == 429 } $load->results;
}


# until both buckets are empty, or should be

sub drain {
    my @before = map { refused($_) } qw(/leased /strict);
    my $end = $load->results + 15_000;

    $load->only(@_);
    $load->rate('max');

    wait_for(sub {
        refused('/leased') > $before[0] + 200
        && refused('/strict') > $before[1] + 200
        || $load->results > $end
    }, 'the buckets to be empty', 120);
}


# nothing waits for this to pass: it makes the load what it is

sub pause {
    my ($seconds) = @_;

    select(undef, undef, undef, $seconds);
}


sub calm {
    my ($rate, $n, @targets) = @_;

    my $end = $load->results + $n;

    $load->only(@targets);
    $load->rate($rate);

    wait_for(sub { $load->results >= $end }, "$n requests", 120);
    $load->rate(0);
}


# Leases on the way up, and leases that are left over and given back, then used
# by nobody or by the other gateway.

for my $round (1 .. 2) {
    drain($round % 2 ? () : (0, 1, 2, 3));
    $load->rate(0);
    pause(0.6);

    calm(1200, 500);
    pause(0.9);

    drain(0, 1);
    calm(1500, 400, 2, 3);
    pause(0.3);

    calm(800, 200, 0, 1);
    calm(800, 200, 2, 3);
    pause(0.9);
}


# Many leases are given back.  The bucket is full before, and gets somewhat
# less each time than is used: what would be given back twice, or not have been
# taken, is found in it in the end.

wait_for(sub { tat($redis, 'gw:{hot}:leased') < time * 1e6 },
         'the bucket to be full');

for my $round (1 .. 7) {
    calm(3000, 1515, 0, 2);
    pause(0.95);
}


# a caller who always asks

my ($asked, $let, $time, %first, %tokens) = (0, 0, 0);

drain();
%first = map { $_ => tat($redis, "gw:{hot}:$_") } qw(leased strict);

my $from = $load->results;

wait_for(sub {
    my @results = $load->results;

    $time = @results > $from ? $results[-1][2] - $results[$from][1] : 0;
    $time > 3;
}, 'three seconds of load');

$load->rate(0);

my @constant = (my @results = $load->stop)[$from .. $load->results - 1];

%tokens = map { $_ => taken_since($_, $first{$_}) } qw(leased strict);

for my $n (0, 1) {
    my $name = (qw(leased strict))[$n];
    my @mine = grep { $_->[0] % 2 == $n } @constant;
    my $passed = grep { $_->[3] == 200 } @mine;

    diag(sprintf('%s: %.0f of %.0f requests/s passed, %.2f of the rate',
                 $name, $passed / $time, @mine / $time,
                 $passed / $time / $rate));

    ok($passed > 0.7 * $rate * $time || @mine < 1.5 * $rate * $time,
       "$name: a caller who always asks gets his rate");
    cmp_ok($tokens{$name}, '>=', $passed - $leases,
           "$name: no more than was taken from Redis and leased before");
}

is_deeply([ grep { $_->[3] != 200 && $_->[3] != 429 } @results ], [],
          'each request is let in or refused: ' . @results);


# what the logs say

my @requests;

wait_for(sub {
    @requests = grep { $_->{path} ne '/metrics' } logged(@gw);
    @requests >= @results;
}, 'all to be in the logs');

my ($slowest) = sort { $b <=> $a } map { $_->{took} } @requests;

is(scalar @requests, @results, 'all are in the logs');
diag("the longest request took $slowest ms");

my %pids = map { $_->{pid} => 1 } @requests;

is(keys %pids, 4, 'all workers had some');

for my $name (qw(leased strict)) {
    my @let = grep { $_->{path} eq "/$name" && $_->{status} == 200 }
              @requests;
    my $ahead = $name eq 'leased' ? $leases : 0;
    my $excess = excess($rate, @let);

    is_deeply([ grep { $_->{limit} ne 'passed' } @let ], [],
              "$name: all were checked");
    cmp_ok($excess, '<=', $burst + $ahead,
           "$name: in no time more than burst and rate"
           . ($ahead ? ' and leases' : ''));

    # a machine may be too slow to take more than the rate; and what waited
    # may have been decided at any time meanwhile

    my $blur = 2 * $rate * $slowest / 1000;

    ok($excess > 0.9 * $burst - $blur || !refused("/$name"),
       "$name: and the test comes near it");

    diag(sprintf('%s: %d let in, at most %.1f more than the rate in a time',
                 $name, scalar @let, $excess));
}


# Leases were used, and left something in Redis.

my $stats = $redis->command('INFO', 'commandstats');
my ($calls) = $stats =~ /^cmdstat_evalsha:calls=(\d+)/m;

diag("$calls calls of Redis for " . @requests . ' requests');

is_deeply([ map { workers_of($_, 2) } @gw ], \@workers, 'the same workers');

$_->stop for @gw;

is_deeply([ map { trouble_in($_) } @gw ], [], 'no alert in the error logs');

done_testing();
