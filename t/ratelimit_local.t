# Copyright (C) The nginx gateway modules authors

# error=local: Redis is away, and each machine goes on by itself, with its
# share of the rate.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;
use Time::HiRes qw(time);


show('X-Status' => '$gw_ratelimit_status',
     'X-Limits' => '$gw_ratelimit_limits',
     'X-Remaining' => '$gw_ratelimit_remaining');

# the port of a gateway that uses another Redis

sub gateway_of {
    my ($redis, $locations) = @_;

    return gateway('gw_ratelimit_redis redis://127.0.0.1:' . $redis->port
                   . ' timeout=10s;', $locations)->port;
}


add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', ($block->http_config // '')
                      . "    gw_ratelimit_redis  redis://127.0.0.1:1;\n");

    $block->set_value('request', 'GET /t.txt') if !defined $block->request;
    $block->set_value('config', "    location = /t.txt { }\n")
        if !defined $block->config;

    $block->set_value('no_error_log', "[alert]\n[crit]\n[emerg]");
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a bucket of the machine's own, of which the client is told nothing
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=3 error=local;
    }
--- request eval
["GET /t.txt?k=own", "GET /t.txt?k=own", "GET /t.txt?k=own",
 "GET /t.txt?k=own", "GET /t.txt?k=other"]
--- error_code eval
[200, 200, 200, 429, 200]
--- response_headers_like eval
[('X-Status: local
X-Limits: calls=local
X-Remaining:
RateLimit:
RateLimit-Policy:
Retry-After:') x 3,
'X-Status: limited
X-Limits: calls=local_limited
X-Remaining:
RateLimit:
RateLimit-Policy:
Retry-After: 86(40[01]|3\d\d)
Content-Type: application/problem\+json',
'X-Status: local']
--- response_body_like eval
["hello", "hello", "hello", '"violated-policies":\["calls"\]', "hello"]
--- log_lines
1 \[warn\] .* gw ratelimit: decided without Redis, 0 more before
1 \[info\] .* gw ratelimit: limited by "calls"



=== TEST 2: the share of one machine out of several
--- http_config
    gw_ratelimit_zone  buckets:1m nodes=4;
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/h burst=11 error=local;
    }
--- request eval
["GET /t.txt?k=share", "GET /t.txt?k=share", "GET /t.txt?k=share"]
--- error_code eval
[200, 200, 429]
--- response_headers_like eval
['X-Status: local', 'X-Status: local', 'Retry-After: 14(40[01]|3\d\d)']



=== TEST 3: a share is one token at least
--- http_config
    gw_ratelimit_zone  buckets:1m nodes=1000;
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2 error=local;
    }
--- request eval
["GET /t.txt?k=least", "GET /t.txt?k=least"]
--- error_code eval
[200, 429]



=== TEST 4: tokens come back, and no more than the rate gives
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=10r/s burst=2 error=local;
    }
--- init
my ($passed, $start) = (0, time());
wait_for(sub {
    $passed++ if says('/t.txt?k=rate') eq '200 local';
    return $passed >= 22;
}, 'tokens');
cmp_ok(time() - $start, '>=', 0.8 * (22 - 2) / 10, 'not before their time');
--- request
GET /t.txt?k=rate2
--- response_headers
X-Status: local



=== TEST 5: of tiers, with costs
--- http_config
    gw_ratelimit_tier  free rate=1r/d burst=3 quota=2/day;
    gw_ratelimit_tier  gold rate=1r/d burst=9;
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k tier=$arg_t cost=$arg_c error=local;
    }
--- request eval
["GET /t.txt?k=tier&t=free&c=2", "GET /t.txt?k=tier&t=free&c=2",
 "GET /t.txt?k=tier&t=free&c=1", "GET /t.txt?k=tier&t=gold&c=8",
 "GET /t.txt?k=tier&t=free&c=0", "GET /t.txt?k=tier&t=free&c=1"]
--- error_code eval
[200, 429, 200, 200, 200, 429]



=== TEST 6: each limit by its own policy; "deny" comes first
--- config
    location = /t.txt {
        gw_ratelimit  local key=$arg_k rate=1r/d burst=2 error=local;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }

    location = /other.txt {
        gw_ratelimit  local key=$arg_k rate=1r/d burst=2 error=local;
        gw_ratelimit  deny key=$arg_k rate=1r/d burst=2 error=deny;
    }
--- request eval
["GET /other.txt?k=each", "GET /t.txt?k=each", "GET /t.txt?k=each",
 "GET /t.txt?k=each", "GET /other.txt?k=each"]
--- error_code eval
[503, 200, 200, 429, 503]
--- response_headers_like eval
['X-Status: unavailable
X-Limits: .*deny=unavailable',
'X-Status: unchecked
X-Limits: local=local calls=unchecked',
'X-Status: unchecked',
'X-Status: limited
X-Limits: local=local_limited.*',
'X-Status: unavailable']



=== TEST 7: before access is checked
--- config
    location = /t.txt {
        gw_ratelimit  early key=$arg_k rate=1r/d burst=2 error=local preauth;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 error=local;
    }
--- request eval
["GET /t.txt?k=early", "GET /t.txt?k=early", "GET /t.txt?k=early"]
--- error_code eval
[200, 429, 429]
--- response_headers eval
["X-Limits: early=local calls=local", "X-Limits: early=local calls=local_limited",
 "X-Limits: early=local_limited"]



=== TEST 8: a ban of which nobody knows does not hold
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 ban=1h after=1
                      error=local;
    }
--- init
redis(qw(SET gw:{ban}:calls/ban -1));
--- request eval
["GET /t.txt?k=ban", "GET /t.txt?k=ban", "GET /t.txt?k=ban"]
--- error_code eval
[200, 429, 429]
--- response_headers eval
["X-Status: local", "X-Status: limited", "X-Status: limited"]



=== TEST 9: Redis goes and comes back: so do its decisions, without a reload
--- init
my $redis = redis_server('redis-back');
my $port = gateway_of($redis, <<'END');
        location = /t.txt {
            gw_ratelimit  calls key=$arg_k rate=1r/d burst=3 error=local;
        }
END
wait_for(sub { says('/t.txt?k=first', $port) eq '200 passed' }, 'Redis');
is(says('/t.txt?k=back', $port), '200 passed', 'by Redis');
$redis->stop;
wait_for(sub { says('/t.txt?k=first', $port) =~ /local|limited/ }, 'the end');
is(answers(4, '/t.txt?k=back', $port),
   '200 local, 200 local, 200 local, 429 limited', 'a bucket of its own');
$redis->start;
wait_for(sub { says('/t.txt?k=again' . rand, $port) eq '200 passed' }, 'Redis');
is(answers(4, '/t.txt?k=back', $port),
   '200 passed, 200 passed, 200 passed, 429 limited', 'by Redis');
like(http('/t.txt?k=fresh', $port), qr/^RateLimit: "calls";r=2;/m, 'fields');



=== TEST 10: how many machines there were, Redis has told
--- init
my $redis = redis_server('redis-nodes');
my $locations = <<'END';
        location = /t.txt {
            gw_ratelimit  calls key=$arg_k rate=1r/d burst=6 error=local;
        }

        location = /metrics {
            gw_metrics;
        }
END
my @ports = map { gateway_of($redis, $locations) } 1 .. 2;
for my $port (@ports) {
    wait_for(sub { http('/metrics', $port) =~ /^gw_ratelimit_nodes 2$/m },
             'gateways to know of each other');
}
$redis->stop;
for my $port (@ports) {
    wait_for(sub { says('/t.txt?k=first', $port) =~ /local/ }, 'the end');
    is(answers(4, '/t.txt?k=nodes', $port),
       '200 local, 200 local, 200 local, 429 limited', 'the half');
}



=== TEST 11: all workers of a machine have one share
--- init
my $port = gateway('gw_ratelimit_redis redis://127.0.0.1:1;', <<'END', workers => 2)->port;
        location = /t.txt {
            gw_ratelimit  calls key=$arg_k rate=1r/d burst=10 error=local;
        }
END
my (%workers, $passed);
wait_for(sub {
    my $response = http('/t.txt?k=workers', $port);
    $workers{header($response, 'X-Pid')}++;
    $passed++ if $response =~ /^X-Status: local/m;
    return $workers{header($response, 'X-Pid')} > 10 && keys %workers == 2;
}, 'both workers');
is($passed, 10, 'ten tokens');



=== TEST 12: what one limit refuses, the bucket of another one gets back
--- config
    location = /t.txt {
        gw_ratelimit  shared key=all rate=1r/d burst=3 error=local;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 error=local;
    }
--- request eval
[("GET /t.txt?k=greedy") x 9, "GET /t.txt?k=modest", "GET /t.txt?k=third",
 "GET /t.txt?k=fourth"]
--- error_code eval
[200, (429) x 8, 200, 200, 429]
--- response_headers eval
["X-Limits: shared=local calls=local",
 ("X-Limits: shared=refunded calls=local_limited") x 8,
 ("X-Limits: shared=local calls=local") x 2,
 "X-Limits: shared=local_limited calls=refunded"]
