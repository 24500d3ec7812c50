# Copyright (C) The nginx gateway modules authors

# Leases when workers end: tokens that were taken from Redis are those of the
# requests that were let in, and of leases; when these have been given back,
# none is missing and none is there twice.  So it is after an idle time, when
# nginx ends, and when it is reloaded while requests flow.  Workers that are
# killed lose what they had on the way, but nobody gains.

use strict;
use warnings;

use Test::More;

use GWE2E qw(trouble_in workers_of);
use GWLoad qw(conf tat);
use GWTest;


# a bucket that is neither full nor empty during this test: each token can be
# counted

my ($rate, $burst) = (1000, 10_000_000);
my ($interval, $gone) = (1_000_000 / $rate, 6_000_000);

# what a lease may have: what the rate gives in a quarter of a second

my $lease = $rate / 4;

my $redis = GWTest::Server->new('redis');

my @gw = map {
    GWTest::Gateway->new(name => "gateway-$_", redis => $redis,
                         conf => conf(<<"HTTP", <<"LOCATIONS"))
gw_ratelimit_redis  redis://127.0.0.1:6379 timeout=2s;
HTTP
location /hot {
    gw_ratelimit  hot key=hot rate=${rate}r/s burst=$burst lease=10%
                  cost=\$arg_cost;
    empty_gif;
}

location = /metrics {
    gw_metrics;
}
LOCATIONS
} 1, 2;

sub known {
    wait_for(sub {
        !grep { $_->get('/metrics')->{body} !~ /^gw_ratelimit_nodes 2$/m } @gw;
    }, 'both to know that they are two');
}

known();
is($gw[0]->get("/hot?cost=$gone")->{status}, 200, 'most tokens are gone');

my $begin = tat($redis, 'gw:{hot}:hot');
my %seen = map { $_ => [ -s $_->dir . '/logs/access.log', 0 ] } @gw;


# since then: requests in the logs that were let in, and tokens that were
# taken and not given back

sub admitted {
    my $sum = 0;

    for my $gw (@gw) {
        my $seen = $seen{$gw};

        open(my $fh, '<', $gw->dir . '/logs/access.log') or die "$!\n";
        seek($fh, $seen->[0], 0);

        for my $line (<$fh>) {

            # the last one may not be complete yet

            last if substr($line, -1) ne "\n";

            $seen->[0] += length $line;
            $seen->[1]++ if $line =~ m{ 200 passed /hot$};
        }

        $sum += $seen->[1];
    }

    return $sum;
}


sub taken {
    return (tat($redis, 'gw:{hot}:hot') - $begin) / $interval;
}


sub held {
    my $sum = 0;

    for my $gw (@gw) {
        $gw->get('/metrics')->{body} =~ /^gw_ratelimit_lease_tokens_held (\d+)/m
            or die "no such metric\n";
        $sum += $1;
    }

    return $sum;
}


# A token is taken before its request is let in, and given back only if there
# is none: at no time there are fewer.

my ($looks, @fewer) = (0);

sub look {
    my $admitted = admitted();
    my $taken = taken();

    $looks++;
    push @fewer, "$taken taken, $admitted let in" if $taken < $admitted;

    return $taken - $admitted;
}


my $load;

sub ask {
    my ($rate) = @_;

    $load = GWLoad->new(n => 8, targets => [ map { [ $_, '/hot' ] } @gw ]);
    $load->rate($rate);
}


sub asked {
    my ($n) = @_;

    my $end = $load->results + $n;

    wait_for(sub { look(); $load->results >= $end }, "$n requests", 120);
}


# leases whose time is over

ask(800);
asked(1500);

my @results = $load->stop;

is_deeply([ grep { $_->[3] != 200 } @results ], [], 'all are let in');
wait_for(sub { look() == 0 }, 'all leases to be given back');
is(held(), 0, 'and nothing is held');


# leases that are held when nginx ends; on a slow machine their time is over

my $left = 0;

for (1 .. 10) {
    ask(800);
    asked(800);
    $load->stop;

    $left = look();
    $_->stop for @gw;
    last if $left > 0;

    $_->start for @gw;
    known();
}

cmp_ok($left, '>', 0, 'leases are held when nginx ends');
is(look(), 0, 'they are given back');
diag("$left tokens were held");


# reloads while requests flow

$_->start for @gw;
known();
workers_of($_, 2) for @gw;

ask(800);
asked(500);

for my $n (1 .. 6) {
    $gw[$n % 2]->reload(old => 1);
    asked(200);
}

@results = $load->stop;

my $lost = grep { $_->[3] == 0 } @results;

is_deeply([ grep { $_->[3] != 200 && $_->[3] != 0 } @results ], [],
          'all are let in while nginx is reloaded');

$_->stop for @gw;

is(look(), 0, 'each is charged once, leases are given back');
diag(scalar(@results) . " requests, $lost on connections that were closed");


# workers that are killed; the other one and the one that comes go on with the
# same zone

$_->start for @gw;
known();

my @mine = map { [ workers_of($_, 2) ] } @gw;

ask(800);
asked(500);

my $kills = 0;

for my $n (1 .. 8) {
    my $gw = $gw[$n % 2];
    my %old = map { $_ => 1 } my @workers = workers_of($gw, 2);

    kill('KILL', $workers[$n / 2 % 2]) && $kills++;
    wait_for(sub {
        my @now = $gw->workers;
        @now == 2 && grep { !$old{$_} } @now;
    }, 'another worker');

    asked(100);
}

my $resets = 0;

for my $gw (@gw) {
    $resets += $1 if $gw->get('/metrics')->{body}
        =~ /^gw_ratelimit_zone_resets_total (\d+)/m;
}

@results = $load->stop;

is_deeply([ grep { $_->[3] != 200 && $_->[3] != 0 } @results ], [],
          'all are let in while workers are killed');

$_->stop for @gw;

$lost = look();

my $cut = grep { $_->[3] == 0 } @results;

cmp_ok($lost, '<=', $cut + $kills * $lease,
       'no more is lost than what was on the way');
diag(scalar(@results) . " requests, $kills workers killed, $cut requests "
     . "had no answer, $lost tokens were lost, $resets zones emptied");


is_deeply(\@fewer, [], 'at no time fewer tokens were taken than used');
diag("looked $looks times");

# the master also tells of a zone that one was at work in

my @expected = map { grep { !/exited on signal 9|was locked by/ }
                     trouble_in($_) } @gw;

is_deeply(\@expected, [], 'no other alert in the error logs');

done_testing();
