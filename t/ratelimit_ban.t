# Copyright (C) The nginx gateway modules authors

# ban= and after=: who is refused too often is refused for a while, by all
# gateways.

use strict;
use warnings;

use POSIX qw(ceil);
use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


# until Redis was asked once more

sub asked {
    my ($path, @args) = @_;

    my $n = evals();
    my @says;

    wait_for(sub {
        push @says, says($path, @args);
        return evals() > $n;
    }, 'a question to Redis');

    return @says;
}


show('X-Status' => '$gw_ratelimit_status',
     'X-Limits' => '$gw_ratelimit_limits');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', <<'END') if !defined $block->config;
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 ban=10m after=4;
    }
END

    $block->set_value('response_body_filters', sub {
        return shift =~ s/("request_id":")[0-9a-f]{32}"/$1ID"/r;
    });

    $block->set_value('request', 'GET /other.txt')
        if !defined $block->request;
});

same_day();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: the refusal that is one too many is the ban's first
--- request eval
[("GET /t.txt?k=ban") x 7]
--- error_code eval
[200, (429) x 6]
--- response_headers_like eval
["X-Limits: calls=passed
X-Status: passed",
"X-Limits: calls=limited
X-Status: limited",
("X-Limits: calls=(remembered|limited)
X-Status: limited") x 2,
("X-Limits: calls=banned
X-Status: banned") x 3]
--- redis
GET gw:{ban}:calls/ban => -1
PTTL gw:{ban}:calls/ban => 600000|5\d{5}
KEYS gw:{ban}:* => gw:\{ban\}:calls gw:\{ban\}:calls/ban



=== TEST 2: who does not go so far is not banned; of one refusal Redis knows
--- init
my ($says, $strikes, $ttl) = in_time(1.5, sub {
    my $k = shift;
    my $says = answers(4, "/t.txt?k=$k");
    return ($says, map { redis($_, "gw:{$k}:calls/ban") } qw(GET PTTL));
});
is($says, join(', ', '200 passed', ('429 limited') x 3), 'not banned');
is($strikes, 1, 'one strike');
like($ttl, qr/\A(?:600000|5\d{5})\z/, 'for ten minutes');



=== TEST 3: the problem of a ban, Retry-After is what is left of it
--- init
redis(qw(SET gw:{problem}:calls/ban -1 PX 345678));
my $response = http('/t.txt?k=problem');
my $left = redis(qw(PTTL gw:{problem}:calls/ban)) / 1000;
cmp_ok(header($response, 'Retry-After'), '>=', ceil($left), 'not early');
cmp_ok(header($response, 'Retry-After'), '<=', 346, 'nor late');
--- request
GET /t.txt?k=problem
--- error_code: 429
--- response_body
{"type":"https://iana.org/assignments/http-problem-types#abnormal-usage-detected","title":"Too Many Requests","status":429,"detail":"Too many requests were refused, the caller is refused for a while","request_id":"ID","violated-policies":["calls"]}
--- response_headers_like
X-Status: banned
Content-Type: application/problem\+json
RateLimit: "calls";r=0;t=3\d\d
Retry-After: 3\d\d
--- log_lines
2 \[info\] .* gw ratelimit: banned by "calls", tier ""



=== TEST 4: a banned caller has no tokens taken, though there are some
--- init
redis(qw(SET gw:{full}:calls/ban -1 PX 345678));
--- request
GET /t.txt?k=full
--- error_code: 429
--- redis
EXISTS gw:{full}:calls => 0



=== TEST 5: refusals of all gateways count, and all know of the ban
--- init
my $port = gateway('', <<'END')->port;
        location = /t.txt {
            gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 ban=10m after=4;
        }
END
is(says('/t.txt?k=two'), '200 passed', 'the first');
is(says('/t.txt?k=two', $port), '429 limited', 'refused by the second');
is(says('/t.txt?k=two'), '429 limited', 'by the first');
is(redis(qw(GET gw:{two}:calls/ban)), 2, 'two strikes');
is(says('/t.txt?k=two'), '429 limited', 'of which Redis knows nothing');
is(says('/t.txt?k=two'), '429 banned', 'it is told of both');
redis(qw(DEL gw:{two}:calls));
wait_for(sub { says('/t.txt?k=two', $port) eq '429 banned' },
         'the second to ask');
--- request
GET /t.txt?k=two
--- error_code: 429
--- response_headers
X-Status: banned



=== TEST 6: a ban does not renew itself, whoever asks
--- init
like(answers(5, '/t.txt?k=once'), qr/banned\z/, 'banned');
redis(qw(PEXPIRE gw:{once}:calls/ban 300000));
for (1 .. 2) {
    is(scalar(grep { $_ ne '429 banned' } asked('/t.txt?k=once')), 0,
       'all are refused');
}
--- request
GET /t.txt?k=once
--- error_code: 429
--- redis
GET gw:{once}:calls/ban => -1
PTTL gw:{once}:calls/ban => 300000|2\d{5}|\d{1,5}



=== TEST 7: an operator ends it by deleting the key
--- init
like(answers(5, '/t.txt?k=pardon'), qr/banned\z/, 'banned');
redis(qw(DEL gw:{pardon}:calls gw:{pardon}:calls/ban));
wait_for(sub { says('/t.txt?k=pardon') eq '200 passed' }, 'the pardon');
--- request
GET /t.txt?k=pardon
--- error_code: 429
--- response_headers
X-Status: limited
--- redis
GET gw:{pardon}:calls/ban => 1



=== TEST 8: it ends by itself
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 ban=1s after=2;
    }
--- init
is(says('/t.txt?k=ends'), '200 passed', 'passed');
wait_for(sub { says('/t.txt?k=ends') eq '429 banned' }, 'the ban');
redis(qw(DEL gw:{ends}:calls));
wait_for(sub { says('/t.txt?k=ends') eq '200 passed' }, 'the end');
--- request
GET /t.txt?k=ends
--- error_code: 429
--- response_headers
X-Status: limited



=== TEST 9: a client that waits as long as it was told to is let in
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1000r/s burst=1000 ban=1s after=2;
    }
--- init
redis(qw(SET gw:{waits}:calls/ban -1 PX 1000));
my $wait = header(http('/t.txt?k=waits'), 'Retry-After');
sleep($wait);
--- request
GET /t.txt?k=waits
--- response_headers
X-Status: passed



=== TEST 10: strikes count for a time from the first one, which later ones do not extend
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 ban=10m after=1000000;
    }
--- init
is(answers(2, '/t.txt?k=first'), '200 passed, 429 limited', 'a strike');
redis(qw(PEXPIRE gw:{first}:calls/ban 300000));
asked('/t.txt?k=first');
cmp_ok(redis(qw(GET gw:{first}:calls/ban)), '>', 1, 'more');
--- request
GET /t.txt?k=first
--- error_code: 429
--- redis
PTTL gw:{first}:calls/ban => 300000|2\d{5}|\d{1,5}



=== TEST 11: refusals by a quota and by the cost count
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 quota=1/month
                      ban=10m after=2;
    }

    location = /other.txt {
        gw_ratelimit  cost key=$arg_k rate=1r/d burst=9 cost=10
                      ban=10m after=2;
    }
--- request eval
["GET /t.txt?k=quota", "GET /t.txt?k=quota", "GET /t.txt?k=quota",
 "GET /other.txt?k=quota", "GET /other.txt?k=quota"]
--- error_code eval
[200, 429, 429, 429, 429]
--- response_headers_like eval
['X-Status: passed', 'X-Status: limited', 'X-Status: banned
Retry-After: \d+', 'X-Status: impossible
Retry-After:', 'X-Status: banned
Retry-After:']



=== TEST 12: a refusal by another limit is no strike, nor is one for another key
--- config
    location = /t.txt {
        gw_ratelimit  other key=$arg_j rate=1r/d burst=1;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 ban=10m after=1;
    }
--- request eval
["GET /t.txt?j=other&k=mine", "GET /t.txt?j=other&k=mine",
 "GET /t.txt?j=third&k=mine"]
--- error_code eval
[200, 429, 200]
--- response_headers_like eval
['X-Limits: other=passed calls=passed', 'X-Limits: other=limited',
 'X-Limits: other=passed calls=passed']
--- redis
EXISTS gw:{mine}:calls/ban => 0



=== TEST 13: a ban by one limit holds for all requests with it
--- config
    location = /t.txt {
        gw_ratelimit  login key=$arg_k rate=1r/d burst=1 ban=10m after=1;
    }

    location = /other.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9;
        gw_ratelimit  login key=$arg_k rate=1r/d burst=1 ban=10m after=1;
    }
--- request eval
["GET /t.txt?k=both", "GET /t.txt?k=both", "GET /other.txt?k=both"]
--- error_code eval
[200, 429, 429]
--- response_headers_like eval
['X-Status: passed', 'X-Status: banned', 'X-Status: banned']
--- redis
EXISTS gw:{both}:calls => 0



=== TEST 14: of a tier
--- http_config
    gw_ratelimit_tier  free rate=1r/d burst=1;
    gw_ratelimit_tier  gold rate=1r/d burst=9;
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k tier=$arg_t ban=10m after=2;
    }
--- request eval
["GET /t.txt?k=tier&t=free", "GET /t.txt?k=tier&t=free",
 "GET /t.txt?k=tier&t=free", "GET /t.txt?k=tier&t=gold"]
--- error_code eval
[200, 429, 429, 200]
--- redis
GET gw:{tier}:calls:free/ban => -1
EXISTS gw:{tier}:calls:gold/ban => 0



=== TEST 15: before access is checked: who fails too often
--- config
    location = /t.txt {
        deny          all;
        gw_ratelimit  login key=$arg_k rate=1r/d burst=2 ban=10m after=2
                      preauth;
    }
--- request eval
[("GET /t.txt?k=guess") x 5]
--- error_code eval
[403, 403, 429, 429, 429]
--- response_headers eval
["X-Status: passed", "X-Status: passed", "X-Status: limited",
 "X-Status: banned", "X-Status: banned"]
--- no_error_log
[crit]
--- log_lines
2 access forbidden by rule



=== TEST 16: a dry run counts, and refuses nobody
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 ban=10m after=3
                      dry_run;
    }
--- request eval
[("GET /t.txt?k=dry") x 6]
--- error_code eval
[(200) x 6]
--- response_headers eval
["X-Status: passed", ("X-Status: dry_run
! RateLimit
! Retry-After") x 5]
--- redis
GET gw:{dry}:calls/ban => -1



=== TEST 17: a ban is longer than the bucket's wait, or shorter
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/h burst=1 ban=1m after=1;
    }

    location = /other.txt {
        gw_ratelimit  short key=$arg_k rate=1r/m burst=1 ban=1h after=1;
    }
--- request eval
["GET /t.txt?k=longer", "GET /t.txt?k=longer", "GET /other.txt?k=longer",
 "GET /other.txt?k=longer", "GET /other.txt?k=longer"]
--- error_code eval
[200, 429, 200, 429, 429]
--- response_headers_like eval
['Retry-After:', 'Retry-After: 3(60[01]|5\d\d)', 'Retry-After:',
 'Retry-After: 3(60[01]|5\d\d)', 'Retry-After: 3(60[01]|5\d\d)']



=== TEST 18: with a quota and several costs each refusal counts once
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=5 quota=100/month
                      cost=$arg_c ban=10m after=4;
    }
--- request eval
["GET /t.txt?k=costs&c=5", "GET /t.txt?k=costs&c=1", "GET /t.txt?k=costs&c=2",
 "GET /t.txt?k=costs&c=2", "GET /t.txt?k=costs&c=2"]
--- error_code eval
[200, 429, 429, 429, 429]
--- response_headers eval
["X-Status: passed", "X-Status: limited", "X-Status: limited",
 "X-Status: limited", "X-Status: banned"]
