# Copyright (C) The nginx gateway modules authors

# Quotas of UTC days and months, beside the bucket: refusals until the window
# ends, their fields, and what is stored in Redis.

use strict;
use warnings;

use POSIX qw(ceil mktime);
use Test::Nginx::Socket 'no_plan';
use GwRatelimit;
use Time::HiRes qw(time);


# the file takes less than that, in one day and month

same_day();

# the clock of Redis, which is that of this machine

our $day = int(time() / 86400);
our ($year, $month) = (gmtime)[5, 4];
our $window = 12 * ($year - 70) + $month;
our $month_days = days(1) - days(0);


# what is stored of a window

sub used {
    my ($window, $tokens) = @_;

    return $window * 2 ** 36 + $tokens;
}


# the day on which the month N months from now begins

sub days {
    my $n = shift;

    local $ENV{TZ} = 'UTC';
    POSIX::tzset();

    return mktime(0, 0, 0, 1, $month + $n, $year) / 86400;
}


# How long a request is told to wait, if that is until a day begins.  From
# memory it is by another clock, which nginx reads to some milliseconds: it may
# be told the next second.

sub until_day {
    my ($path, $end) = @_;

    my $before = time();
    my $response = http($path);
    my $after = time();

    my $wait = header($response, 'Retry-After') // die "no Retry-After\n";

    cmp_ok($wait, '>=', ceil($end * 86400 - $after - 0.1),
           "$path - not early");
    cmp_ok($wait, '<=', ceil($end * 86400 - $before + 0.1),
           "$path - nor late");
}


show('X-Status' => '$gw_ratelimit_status',
     'X-Limit' => '$gw_ratelimit_limit');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('response_body_filters', sub {
        my ($policies) = $_[0] =~ /"violated-policies":\[(.*)\]\}\n\z/;

        return defined $policies ? "problem $policies\n" : shift;
    });

    $block->set_value('request', 'GET /other.txt')
        if !defined $block->request;
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a day's quota is used up; a refusal takes nothing of the bucket
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 quota=2/day;
    }
--- request eval
["GET /t.txt?k=day", "GET /t.txt?k=day", "GET /t.txt?k=day",
 "GET /t.txt?k=next"]
--- error_code eval
[200, 200, 429, 200]
--- response_body eval
["hello\n", "hello\n", "problem \"calls-day\"\n", "hello\n"]
--- response_headers_like eval
['RateLimit-Policy: "calls";q=9;w=777600, "calls-day";q=2;w=86400
RateLimit: "calls";r=8;t=86400, "calls-day";r=1;t=\d+
X-Status: passed
X-Limit:
Retry-After:',
'RateLimit: "calls";r=7;t=\d+, "calls-day";r=0;t=\d+
X-Status: passed',
'RateLimit-Policy: "calls";q=9;w=777600, "calls-day";q=2;w=86400
RateLimit: "calls";r=7;t=\d+, "calls-day";r=0;t=\d+
X-Status: limited
X-Limit: calls-day
Retry-After: \d+',
'RateLimit: "calls";r=8;t=86400, "calls-day";r=1;t=\d+']
--- redis eval
"KEYS gw:{day}:* => gw:\\{day\\}:calls gw:\\{day\\}:calls/day
GET gw:{day}:calls/day => " . main::used($main::day, 2) . "
GET gw:{next}:calls/day => " . main::used($main::day, 1)



=== TEST 2: a month's
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 quota=2/month;
    }
--- request eval
["GET /t.txt?k=month", "GET /t.txt?k=month", "GET /t.txt?k=month"]
--- error_code eval
[200, 200, 429]
--- response_body eval
["hello\n", "hello\n", "problem \"calls-month\"\n"]
--- response_headers_like eval
my $w = $main::month_days * 86400;
["RateLimit-Policy: \"calls\";q=9;w=777600, \"calls-month\";q=2;w=$w
RateLimit: \"calls\";r=8;t=86400, \"calls-month\";r=1;t=\\d+",
"RateLimit: \"calls\";r=7;t=\\d+, \"calls-month\";r=0;t=\\d+",
"RateLimit: \"calls\";r=7;t=\\d+, \"calls-month\";r=0;t=\\d+
X-Limit: calls-month"]
--- redis eval
"KEYS gw:{month}:* => gw:\\{month\\}:calls gw:\\{month\\}:calls/month
GET gw:{month}:calls/month => " . main::used($main::window, 2)



=== TEST 3: Retry-After is the end of the window, also from memory
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/s burst=9 quota=1/day;
    }

    location = /month {
        gw_ratelimit  month key=$arg_k rate=1r/s burst=9 quota=1/month;
        alias         html/t.txt;
    }

    location = /both {
        gw_ratelimit  both key=$arg_k rate=1r/s burst=9 quota=1/day
                      quota=1/month;
        alias         html/t.txt;
    }
--- init
is(says($_), '200 passed', $_) for qw(/t.txt?k=ends /month?k=ends
                                      /both?k=ends);
for (1 .. 3) {
    until_day('/t.txt?k=ends', $main::day + 1);
    until_day('/month?k=ends', days(1));
    until_day('/both?k=ends', days(1));
}



=== TEST 4: a day's and a month's, each for itself
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 quota=2/day
                      quota=3/month;
    }
--- init
is(says('/t.txt?k=two'), '200 passed', 'passed') for 1 .. 2;
like(http('/t.txt?k=two'), qr/"violated-policies":\["calls-day"\]/, 'the day');
redis('SET', 'gw:{two}:calls/day', used($main::day - 1, 2));
wait_for(sub { says('/t.txt?k=two') eq '200 passed' }, 'the next day');
--- request
GET /t.txt?k=two
--- error_code: 429
--- response_body
problem "calls-month"
--- response_headers_like
RateLimit: "calls";r=6;t=\d+, "calls-day";r=1;t=\d+, "calls-month";r=0;t=\d+
--- redis eval
"GET gw:{two}:calls/day => " . main::used($main::day, 1) . "
GET gw:{two}:calls/month => " . main::used($main::window, 3)



=== TEST 5: both refuse, and the bucket as well
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 quota=1/day
                      quota=1/month;
    }
--- request eval
["GET /t.txt?k=three", "GET /t.txt?k=three"]
--- error_code eval
[200, 429]
--- response_body eval
["hello\n", "problem \"calls\",\"calls-day\",\"calls-month\"\n"]
--- response_headers_like eval
['', 'X-Limit: calls,calls-day,calls-month']



=== TEST 6: the quotas of tiers, a caller has one of each
--- http_config
    gw_ratelimit_tier  free rate=1r/d burst=9 quota=1/day;
    gw_ratelimit_tier  gold rate=1r/d burst=9 quota=3/day quota=4/month;
    gw_ratelimit_tier  none rate=1r/d burst=9;
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k tier=$arg_t;
    }
--- request eval
["GET /t.txt?k=tier&t=free", "GET /t.txt?k=tier&t=free",
 "GET /t.txt?k=tier&t=gold", "GET /t.txt?k=tier&t=none"]
--- error_code eval
[200, 429, 200, 200]
--- response_headers_like eval
['RateLimit: "calls";r=8;t=86400, "calls-day";r=0;t=\d+',
'X-Limit: calls-day',
'RateLimit: "calls";r=8;t=\d+, "calls-day";r=2;t=\d+, "calls-month";r=3;t=\d+',
'RateLimit: "calls";r=8;t=\d+']
--- redis
KEYS gw:{tier}:*/* => gw:\{tier\}:calls:free/day gw:\{tier\}:calls:gold/day gw:\{tier\}:calls:gold/month



=== TEST 7: the cost of a request counts
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 quota=5/day
                      cost=$arg_c;
    }
--- request eval
["GET /t.txt?k=cost&c=3", "GET /t.txt?k=cost&c=3", "GET /t.txt?k=cost&c=0",
 "GET /t.txt?k=cost&c=2"]
--- error_code eval
[200, 429, 200, 200]
--- response_headers_like eval
['RateLimit: "calls";r=6;t=\d+, "calls-day";r=2;t=\d+',
'RateLimit: "calls";r=6;t=\d+, "calls-day";r=2;t=\d+
X-Limit: calls-day',
'RateLimit: "calls";r=6;t=\d+, "calls-day";r=2;t=\d+',
'RateLimit: "calls";r=4;t=\d+, "calls-day";r=0;t=\d+']



=== TEST 8: more than a window ever has
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 quota=5/month
                      cost=$arg_c;
    }
--- request eval
["GET /t.txt?k=never&c=6", "GET /t.txt?k=never&c=6", "GET /t.txt?k=never&c=5"]
--- error_code eval
[429, 429, 200]
--- response_headers eval
["X-Status: impossible
! Retry-After", "X-Status: impossible
! Retry-After", "X-Status: passed"]



=== TEST 9: an exhausted quota is refused before anything is written
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 quota=5/day;
    }
--- init
redis('SET', 'gw:{before}:calls/day', used($main::day, 5), 'EX', 1000);
--- request
GET /t.txt?k=before
--- error_code: 429
--- redis eval
"EXISTS gw:{before}:calls => 0
GET gw:{before}:calls/day => " . main::used($main::day, 5) . "
TTL gw:{before}:calls/day => \\d{1,3}|1000"



=== TEST 10: another limit refuses: the quota is as before
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 quota=5/day;
        gw_ratelimit  other key=$arg_k rate=1r/d burst=1;
    }
--- request eval
[("GET /t.txt?k=other") x 5]
--- error_code eval
[200, 429, 429, 429, 429]
--- redis eval
"GET gw:{other}:calls/day => " . main::used($main::day, 1)



=== TEST 11: a smaller quota than was used
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 quota=5/day;
    }
--- init
redis('SET', 'gw:{less}:calls/day', used($main::day, 1000));
--- request
GET /t.txt?k=less
--- error_code: 429
--- response_headers_like
RateLimit: "calls";r=9;t=0, "calls-day";r=0;t=\d+
--- redis eval
"GET gw:{less}:calls/day => " . main::used($main::day, 1000)



=== TEST 12: windows of yesterday, and of no calendar, count as none
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 quota=5/day
                      quota=5/month;
    }
--- init
my %stored = (yesterday => [used($main::day - 1, 5), used($main::window - 1, 5)],
              first => [5, 5], text => ['abc', 'nan'], minus => [-1, '-inf'],
              huge => ['9223372036854775807', '1e300']);
for my $k (sort keys %stored) {
    redis('SET', "gw:{$k}:calls/day", $stored{$k}[0]);
    redis('SET', "gw:{$k}:calls/month", $stored{$k}[1]);

    my $response = http("/t.txt?k=$k");
    like($response, qr/"calls-day";r=4;t=\d+, "calls-month";r=4;/, $k);
    is(redis('GET', "gw:{$k}:calls/day"), used($main::day, 1), "$k - day");
    is(redis('GET', "gw:{$k}:calls/month"), used($main::window, 1),
       "$k - month");
}



=== TEST 13: windows to come: of a clock that went back, and of a wrong one
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 quota=5/day
                      quota=5/month;
    }
--- init
redis('SET', 'gw:{back}:calls/day', used($main::day + 1, 5));
redis('SET', 'gw:{back}:calls/month', used($main::window + 1, 4));
until_day('/t.txt?k=back', $main::day + 2);
redis('SET', 'gw:{wrong}:calls/day', used($main::day + 2, 3));
redis('SET', 'gw:{wrong}:calls/month', used($main::window + 7, 4));
is(answers(2, '/t.txt?k=wrong'), '200 passed, 429 limited', 'wrong');
--- redis eval
"GET gw:{wrong}:calls/day => " . main::used($main::day, 4) . "
GET gw:{wrong}:calls/month => " . main::used($main::window, 5)



=== TEST 14: what is stored outlives its window, and not for long
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 quota=5/day
                      quota=5/month;
    }
--- init
my $before = time();
is(says('/t.txt?k=ttl'), '200 passed', 'passed');
my %end = (day => $main::day + 1, month => days(1));
for my $unit (qw(day month)) {
    my $ttl = redis('PTTL', "gw:{ttl}:calls/$unit") / 1000;
    my $end = 86400 * $end{$unit};
    cmp_ok(time() + $ttl, '>=', $end, "$unit - long enough");
    cmp_ok($before + $ttl, '<', $end + 86400, "$unit - goes");
}



=== TEST 15: in X-RateLimit the tightest
--- config
    gw_ratelimit_headers  x-ratelimit;

    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 quota=2/day
                      quota=5/month;
    }
--- request
GET /t.txt?k=tightest
--- response_headers_like
X-RateLimit-Limit: 2
X-RateLimit-Remaining: 1
X-RateLimit-Reset: \d+
