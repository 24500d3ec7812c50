# Copyright (C) The nginx gateway modules authors

# Several limits for a request: all or none, in their order, whatever their
# keys; inherited, replaced, and shared by their names.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


show('X-Status' => '$gw_ratelimit_status',
     'X-Limits' => '$gw_ratelimit_limits');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('response_body_filters', sub {
        my ($policies) = $_[0] =~ /"violated-policies":\[(.*)\]\}\n\z/;

        return defined $policies ? "problem $policies\n" : shift;
    });

    $block->set_value('request', 'GET /other.txt')
        if !defined $block->request;
});

same_day();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: of one key: the last refuses, the others are as before
--- config
    location = /t.txt {
        gw_ratelimit  a key=$arg_k rate=1r/d burst=5;
        gw_ratelimit  b key=$arg_k rate=1r/d burst=4 quota=9/day;
        gw_ratelimit  c key=$arg_k rate=1r/d burst=1;
    }
--- init
is(says('/t.txt?k=one'), '200 passed', 'passed');
my @before = map { redis('GET', "gw:{one}:$_") } qw(a b b/day c);
is(answers(3, '/t.txt?k=one'), join(', ', ('429 limited') x 3), 'refused');
my @after = map { redis('GET', "gw:{one}:$_") } qw(a b b/day c);
is("@after", "@before", 'the same');
--- request
GET /t.txt?k=one
--- error_code: 429
--- response_body
problem "c"
--- response_headers_like
X-Limits: c=(remembered|limited)



=== TEST 2: of different keys: the first, the middle, the last refuses
--- config
    location = /t.txt {
        gw_ratelimit  a key=$arg_a rate=1r/d burst=2;
        gw_ratelimit  b key=$arg_b rate=1r/d burst=2;
        gw_ratelimit  c key=$arg_c rate=1r/d burst=2;
    }
--- request eval
["GET /t.txt?a=1&b=1&c=1", "GET /t.txt?a=1&b=2&c=2", "GET /t.txt?a=1&b=1&c=1",
 "GET /t.txt?a=2&b=1&c=3", "GET /t.txt?a=3&b=1&c=1", "GET /t.txt?a=2&b=3&c=1",
 "GET /t.txt?a=2&b=4&c=1"]
--- error_code eval
[200, 200, 429, 200, 429, 200, 429]
--- response_headers_like eval
['X-Limits: a=passed b=passed c=passed
RateLimit: "a";r=1;t=86400, "b";r=1;t=86400, "c";r=1;t=86400',
'RateLimit: "a";r=0;t=\d+, "b";r=1;t=86400, "c";r=1;t=86400',
'X-Limits: a=limited
RateLimit: "a";r=0;t=\d+, "b";r=1;t=\d+, "c";r=1;t=\d+',
'RateLimit: "a";r=1;t=86400, "b";r=0;t=\d+, "c";r=1;t=86400',
'X-Limits: b=limited
RateLimit: "a";r=2;t=0, "b";r=0;t=\d+, "c";r=1;t=\d+',
'RateLimit: "a";r=0;t=\d+, "b";r=1;t=86400, "c";r=0;t=\d+',
'X-Limits: a=limited c=limited']
--- response_body eval
["hello\n", "hello\n", "problem \"a\"\n", "hello\n", "problem \"b\"\n",
 "hello\n", "problem \"a\",\"c\"\n"]
--- redis
KEYS gw:{?}:? => gw:\{1\}:a gw:\{1\}:b gw:\{1\}:c gw:\{2\}:a gw:\{2\}:b gw:\{2\}:c gw:\{3\}:b gw:\{3\}:c



=== TEST 3: one that is remembered refuses before the others are asked about
--- config
    location = /t.txt {
        gw_ratelimit  a key=$arg_a rate=1r/d burst=9;
        gw_ratelimit  b key=$arg_b rate=1r/d burst=1;
    }
--- request eval
["GET /t.txt?a=x&b=y", "GET /t.txt?a=x&b=y", "GET /t.txt?a=x&b=y",
 "GET /t.txt?a=x&b=z"]
--- error_code eval
[200, 429, 429, 200]
--- response_headers_like eval
['', 'X-Limits: b=limited', 'X-Limits: b=(remembered|limited)',
 'RateLimit: "a";r=7;.*']



=== TEST 4: as many as there may be
--- config eval
"location = /t.txt {\n"
. CORE::join('', map {
    "gw_ratelimit limit-$_ key=\$arg_k rate=1r/d burst=1$_ quota=2$_/day"
    . " quota=3$_/month ban=1h after=9;\n" } 1 .. 8)
. "}\n"
--- request eval
["GET /t.txt?k=eight", "GET /t.txt?k=eight"]
--- response_headers_like eval
[map {
    my $n = $_;
    "RateLimit: " . CORE::join(', ', map {
        my $l = $_;
        "\"limit-$l\";r=" . (10 + $l - $n) . ";t=\\d+, "
        . "\"limit-$l-day\";r=" . (20 + $l - $n) . ";t=\\d+, "
        . "\"limit-$l-month\";r=" . (30 + $l - $n) . ";t=\\d+" } 1 .. 8)
} 1, 2]



=== TEST 5: the same name in locations: one bucket, costs and policies may differ
--- config
    location = /t.txt {
        gw_ratelimit  shared key=$arg_k rate=1r/d burst=10;
    }

    location = /other.txt {
        gw_ratelimit  shared key=$http_x_key rate=1r/d burst=10 cost=4
                      error=deny empty=deny;
    }
--- request eval
["GET /t.txt?k=shared", "GET /other.txt", "GET /t.txt?k=shared",
 "GET /other.txt", "GET /other.txt"]
--- more_headers
X-Key: shared
--- error_code eval
[200, 200, 200, 200, 429]
--- response_headers_like eval
['RateLimit: "shared";r=9;t=86400', 'RateLimit: "shared";r=5;t=\d+',
 'RateLimit: "shared";r=4;t=\d+', 'RateLimit: "shared";r=0;t=\d+', '']
--- redis
KEYS gw:{shared}:* => gw:\{shared\}:shared



=== TEST 6: the same tier under two names: two buckets
--- http_config
    gw_ratelimit_tier  free rate=1r/d burst=3;
--- config
    location = /t.txt {
        gw_ratelimit  one key=$arg_k tier=free;
        gw_ratelimit  two key=$arg_k tier=free cost=2;
    }
--- request
GET /t.txt?k=names
--- response_headers
RateLimit: "one";r=2;t=86400, "two";r=1;t=86400
--- redis
KEYS gw:{names}:* => gw:\{names\}:one:free gw:\{names\}:two:free



=== TEST 7: inherited through the levels, replaced as a whole
--- http_config
    gw_ratelimit  web key=$arg_k rate=1r/d burst=5;
    gw_ratelimit  early key=$arg_k rate=1r/d burst=6 preauth;
--- config
    location = /t.txt { }

    location /own/ {
        gw_ratelimit  own key=$arg_k rate=1r/d burst=2;
        alias         html/;

        location = /own/more/t.txt {
            gw_ratelimit  own key=$arg_k rate=1r/d burst=2;
            gw_ratelimit  web key=$arg_k rate=1r/d burst=5;
            alias         html/t.txt;
        }

        location = /own/off/t.txt {
            gw_ratelimit  off;
            alias         html/t.txt;
        }
    }
--- request eval
["GET /t.txt?k=level", "GET /own/t.txt?k=level", "GET /own/more/t.txt?k=level",
 "GET /own/off/t.txt?k=level"]
--- response_headers eval
['X-Limits: early=passed web=passed', 'X-Limits: own=passed',
 'X-Limits: own=passed web=passed', '! X-Limits']
--- redis
KEYS gw:{level}:* => gw:\{level\}:early gw:\{level\}:own gw:\{level\}:web



=== TEST 8: some are skipped, and some not checked
--- config
    location = /t.txt {
        gw_ratelimit  skipped key=$arg_none rate=1r/d burst=5;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=5;
    }

    location = /other.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=5;
        gw_ratelimit  skipped key=$arg_none rate=1r/d burst=5 preauth;
    }
--- request eval
["GET /t.txt?k=some", "GET /other.txt?k=some"]
--- response_headers eval
["X-Status: passed
X-Limits: calls=passed", "X-Status: passed
X-Limits: calls=passed"]



=== TEST 9: several refuse: all are named, the longest wait counts
--- config
    location = /t.txt {
        gw_ratelimit  a key=$arg_k rate=1r/h burst=1;
        gw_ratelimit  b key=$arg_k rate=1r/d burst=2;
        gw_ratelimit  c key=$arg_k rate=1r/m burst=1;
    }
--- request eval
["GET /t.txt?k=longest", "GET /t.txt?k=longest", "GET /t.txt?k=longest"]
--- error_code eval
[200, 429, 429]
--- response_body eval
["hello\n", "problem \"a\",\"c\"\n", "problem \"a\",\"c\"\n"]
--- response_headers_like eval
['', 'Retry-After: 3(60[01]|5\d\d)', 'Retry-After: 3(60[01]|5\d\d)']



=== TEST 10: in a cluster keys lie on several nodes: what was taken is given back
--- init
require GWTest;
our $cluster = GWTest::Server->new('cluster');
my $gateway = gateway(
    "gw_ratelimit_redis redis://127.0.0.1:" . $cluster->port
    . " timeout=10s cluster;", <<'END');
        location = /t.txt {
            gw_ratelimit  a key=$arg_a rate=1r/d burst=9 quota=5/day;
            gw_ratelimit  b key=$arg_b rate=1r/d burst=9;
            gw_ratelimit  c key=$arg_c rate=1r/d burst=1;
        }
END
my $port = $gateway->port;
my $stored = sub {
    return join ' ', map { $cluster->command('-c', 'GET', "gw:{$_") }
                     'x}:a', 'x}:a/day', 'y}:b', 'z}:c';
};
wait_for(sub { says('/t.txt?a=x&b=y&c=z', $port) eq '200 passed' }, 'passed');
my $before = $stored->();
is(says('/t.txt?a=x&b=y&c=z', $port), '429 limited', 'refused');
wait_for(sub { $stored->() eq $before }, 'what was taken to be given back');
$gateway->stop;
$cluster->stop;
