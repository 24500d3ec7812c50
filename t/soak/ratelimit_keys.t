# Copyright (C) The nginx gateway modules authors

# As many callers as there are: what nginx needs of memory stays as it is, and
# Redis has a key of each, of the size that the documentation says.
#
# GW_SOAK_KEYS callers, 10 million by default: some minutes, and 1.5 GB in
# Redis.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use GWE2E qw(trouble_in workers_of);
use GWLoad qw(conf pipelined);
use GWTest;


my $keys = $ENV{GW_SOAK_KEYS} || 10_000_000;

my $sanitizer = grep { GWTest::slurp($_) =~ /__asan_init/ }
                split ' ', $ENV{TEST_NGINX_LOAD_MODULES};

# the zone is as small as it may be, so that it is full early

my $redis = GWTest::Server->new('redis');
my $gw = GWTest::Gateway->new(redis => $redis,
                              conf => conf(<<'HTTP', <<'LOCATIONS'));
gw_ratelimit_redis  redis://127.0.0.1:6379 timeout=10s;
gw_ratelimit_zone   buckets:256k;
HTTP
access_log  off;

location ~ ^/once/(?<caller>\d+)$ {
    gw_ratelimit  calls key=$caller rate=1r/d burst=1;
    empty_gif;
}

location ~ ^/hot/(?<caller>\d+)$ {
    gw_ratelimit  hot key=$caller rate=1000r/s burst=1000 lease=10%
                  error=local;
    empty_gif;
}

location = /metrics {
    gw_metrics;
}
LOCATIONS

my @workers = workers_of($gw, 2);


# of all workers, in KiB: their own, and the zone

sub memory {
    my ($own, $shared) = (0, 0);

    for my $pid (@workers) {
        my $status = GWTest::slurp("/proc/$pid/status");

        $own += $1 if $status =~ /^RssAnon:\s+(\d+)/m;
        $shared += $1 if $status =~ /^RssShmem:\s+(\d+)/m;
    }

    return ($own, $shared);
}


# KiB that came on top

sub flat {
    my ($name, $more) = @_;

    SKIP: {
        skip('a sanitizer keeps what was freed', 1) if $sanitizer;
        cmp_ok($more, '<', 1024, $name);
    }
}


sub redis_memory {
    return $1 if $redis->command('INFO', 'memory') =~ /^used_memory:(\d+)/m;
}


sub metric {
    my ($name) = @_;

    my $sum = 0;

    $sum += $_ for $gw->get('/metrics')->{body} =~ /^$name(?:\{.*\})? (\d+)/mg;

    return $sum;
}


# a part of all, each caller asks as often as told, and what came of it

sub callers {
    my ($path, $from, $to, $times) = @_;

    return pipelined($gw, ($to - $from) * $times, sub {
        return $path . sprintf('%08d', $from + int($_[0] / $times));
    }, 32, 8);
}


# The first tenth of the callers, who are refused, too, make all buffers and
# tables what they will be.

my ($begin, $start) = (redis_memory(), time);
my %statuses;
my ($own, $shared);

for my $tenth (0 .. 9) {
    my $from = int($keys * $tenth / 10);
    my $to = int($keys * ($tenth + 1) / 10);
    my $part = callers('/once/', $from, $to, $tenth ? 1 : 2);

    $statuses{$_} += $part->{$_} for keys %$part;

    ($own, $shared) = memory() if $tenth == 0;
}

my $seconds = time - $start;

is_deeply(\%statuses, { 200 => $keys, 429 => int($keys / 10) },
          "each of $keys callers is let in, a tenth is refused, too");

my ($own_after, $shared_after) = memory();
my $in_redis = $redis->command('DBSIZE')
               - $redis->command('EXISTS', 'gw:nodes');
my $each = (redis_memory() - $begin) / $in_redis;

is($in_redis, $keys, 'Redis has a bucket of each');
cmp_ok($each, '<=', 150, 'of at most 150 bytes');

flat('workers need no more than after 10%', $own_after - $own);
cmp_ok($shared_after, '<=', 2 * (256 + 64), 'the zone is what it was');

diag(sprintf('%.0f requests/s; workers: %d KiB after 10%%, %d at the end, '
             . 'and %d of the zone; Redis: %.1f bytes a key',
             1.1 * $keys / $seconds, $own, $own_after, $shared_after, $each));


# callers who have leases, and local buckets while Redis is away

$redis->command('FLUSHALL');
wait_for(sub { metric('gw_ratelimit_nodes') == 1 }, 'leases');

callers('/hot/', 0, int($keys / 200), 20);
($own) = memory();
callers('/hot/', int($keys / 200), int($keys / 50), 20);

my $leased = metric('gw_ratelimit_lease_tokens_total');

$redis->stop;
callers('/hot/', 0, int($keys / 10), 2);
($own_after, $shared_after) = memory();

cmp_ok($leased, '>', 0, 'there are leases');
flat('workers need no more for them', $own_after - $own);
cmp_ok($shared_after, '<=', 2 * (256 + 64), 'nor does the zone');

diag(sprintf('%d tokens leased; workers: %d KiB, then %d, and %d of the zone',
             $leased, $own, $own_after, $shared_after));


is_deeply([ $gw->workers ], \@workers, 'the same workers');

$gw->stop;

is_deeply([ trouble_in($gw) ], [], 'no alert in the error log');

done_testing();
