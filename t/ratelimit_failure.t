# Copyright (C) The nginx gateway modules authors

# Redis is away, hangs, or says something else than the script: what becomes
# of the requests, by error=allow and error=deny.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;
use Time::HiRes qw(time);


# answers by the key of the request

my %answers = (
    taken        => integers(1, 4, 0, 1000000, 0),
    noscripts    => error('NOSCRIPT No matching script. Please use EVAL.'),
    readonly     => error("READONLY You can't write against a read only "
                          . 'replica.'),
    oom          => error("OOM command not allowed when used memory > "
                          . "'maxmemory'."),
    loading      => error('LOADING Redis is loading the dataset in memory'),
    noperm       => error('NOPERM this user has no permissions'),
    percent      => error('ERR %s%n%V%Z'),
    repeats      => error("ERR unknown command 'EVALSHA', with args "
                          . "beginning with: 'gw:{secret}:calls'"),
    empty        => error(''),
    nil          => "\$-1\r\n",
    nothing      => "*-1\r\n",
    integer      => ":1\r\n",
    status       => status('OK'),
    bulk         => "\$1\r\n1\r\n",
    strings      => "*5\r\n" . "\$1\r\n1\r\n" x 5,
    nested       => "*5\r\n" . ":1\r\n" x 4 . integers(1),
    few          => integers(1, 4, 0, 0),
    many         => integers(1, 4, 0, 0, 0, 0),
    none         => integers(),
    refused      => integers(0, 4, 0, 1000000, 0),
    granted      => integers(1, 0, 1000000, 1000000, 0),
    negative     => integers(1, -1, 0, 0, 0),
    full         => integers(1, 6, 0, 0, 0),
    largest      => integers(0, 0, '9223372036854775807', 0, 0),
    smallest     => integers(1, 4, 0, '-9223372036854775808', 0),
    waitless     => integers(0, 0, -2, 0, 0),
    twice        => integers(2, 4, 0, 1000000, 0),
    present      => integers(1, 3, 0, 1000000, 1),
    debt         => integers(1, 4, 0, 1000000, -1),
    silent       => undef,
    held         => \integers(1, 3, 0, 1000000, 0),
    garbage      => "HTTP/1.1 400 Bad Request\r\n\r\n",
    letters      => "*5\r\n:1\r\n:a\r\n:0\r\n:0\r\n:0\r\n",
    endless      => "\$2000000\r\n" . 'x' x 1_200_000,
    deep         => "*1\r\n" x 20 . ":1\r\n",
    closed       => [''],
    midway       => ["*5\r\n:1\r\n:4"],
);

$ENV{TEST_NGINX_FAKE} = fake_redis(sub {
    my ($state, @command) = @_;

    my $key = subject(@command);

    return [''] if $state->{down} && !@command;

    if ($key =~ s/\Anoscript-//) {
        return $answers{noscripts} if $command[0] eq 'EVALSHA';
        return $answers{$key};
    }

    return hello(@command) || (@command ? $answers{$key} : '');
});


# what it may say to the first commands

sub at_hello {
    my ($name, $answer) = @_;

    return fake_redis(sub {
        my ($state, @command) = @_;

        return $answer if ($command[0] // 'CONNECT') eq $name;
        return hello(@command) || (@command ? $answers{taken} : '');
    });
}

$ENV{TEST_NGINX_LOADING} = at_hello(PING => $answers{loading});
$ENV{TEST_NGINX_NOAUTH} = at_hello(PING => error('NOAUTH Authentication '
                                                 . 'required.'));
$ENV{TEST_NGINX_WRONGPASS} = at_hello(AUTH => error('WRONGPASS invalid'));
$ENV{TEST_NGINX_REPEATS} = at_hello(AUTH => error('ERR unknown command '
    . '`AUTH`, with args beginning with: `joe` `sesame`'));
$ENV{TEST_NGINX_ECHO} = at_hello(AUTH => error('ERR what is AUTH sesame'));
$ENV{TEST_NGINX_NODB} = at_hello(SELECT => error('ERR DB index is out of '
                                                 . 'range'));
$ENV{TEST_NGINX_MUTE} = at_hello(PING => undef);
$ENV{TEST_NGINX_CROWDED} = at_hello(CONNECT => [error('ERR max number of '
                                                      . 'clients reached')]);
$ENV{TEST_NGINX_TALKS} = at_hello(CONNECT => "220 mail.example.com ESMTP\r\n");

# there are so many gateways, it says, and cannot count tokens

$ENV{TEST_NGINX_MANY} = fake_redis(sub {
    my ($state, @command) = @_;

    return ":2305843009213693952\r\n" if "@command" =~ / gw:nodes /;
    return hello(@command) || (@command ? $answers{oom} : '');
});


our $unavailable = '{"type":"https://iana.org/assignments/http-problem-types'
                   . '#temporary-reduced-capacity",'
                   . '"title":"Service Unavailable","status":503,'
                   . '"detail":"The rate limit could not be checked",'
                   . '"request_id":"ID"}' . "\n";


# "answer" stands for a request with each policy, on a connection that lasts;
# "broken" for one whose connection is closed then

add_block_preprocessor(sub {
    my $block = shift;

    my $http = $block->http_config // 'redis://127.0.0.1:$TEST_NGINX_FAKE'
                                      . ' timeout=10s';

    $block->set_value('http_config', "gw_ratelimit_redis $http;")
        if $http !~ /gw_/;

    $block->set_value('config', <<'END') if !defined $block->config;
    add_header  X-Status "$gw_ratelimit_status" always;

    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/s burst=5;
    }

    location = /deny {
        gw_ratelimit  calls key=$arg_k rate=1r/s burst=5 error=deny;
        alias         html/t.txt;
    }
END

    my $key = $block->answer // $block->broken;

    if (defined $key) {
        $key =~ s/\s.*//s;

        $block->set_value('request', defined $block->answer
            ? ["GET /t.txt?k=$key", "GET /deny?k=$key"]
            : "GET /t.txt?k=$key");

        $block->set_value('error_code', [200, 503]);
        $block->set_value('response_body', ["hello\n", $main::unavailable]);
        $block->set_value('response_headers', [
            "! RateLimit\n! RateLimit-Policy\n! Retry-After\n"
            . "X-Status: unchecked",
            "! RateLimit\n! RateLimit-Policy\nRetry-After: 1\n"
            . "X-Status: unavailable\nContent-Type: application/problem+json",
        ]);
    }

    $block->set_value('no_error_log', "[alert]\n[emerg]");
    $block->set_value('response_body_filters', sub {
        return shift =~ s/("request_id":")[0-9a-f]{32}"/$1ID"/r;
    });
});

# see the last one

add_cleanup_handler(sub { redis(qw(CONFIG SET maxmemory 0)) });

no_shuffle();
run_tests();

__DATA__

=== TEST 1: the false Redis says what the real one would
--- request
GET /t.txt?k=taken
--- response_headers
RateLimit: "calls";r=4;t=1
X-Status: passed
--- response_body
hello



=== TEST 2: Redis does not know the script: its text, once, in time
--- init
ask($ENV{TEST_NGINX_FAKE}, qw(FAKE FORGET));
--- request
GET /t.txt?k=noscript-taken
--- response_headers
RateLimit: "calls";r=4;t=1
X-Status: passed
--- fake
^EVALSHA [0-9a-f]{40} 1 gw:\{noscript-taken\}:calls b 1000000 5 1 0 1$ => 1
(?s)^EVAL -- .*\n 1 gw:\{noscript-taken\}:calls b 1000000 5 1 0 1$ => 1
^EVAL => 2



=== TEST 3: nor does it know the text
--- init
ask($ENV{TEST_NGINX_FAKE}, qw(FAKE FORGET));
--- answer: noscript-noscripts
--- error_log
gw ratelimit: Redis replied "NOSCRIPT No matching script. Please use EVAL."
--- fake
^EVALSHA => 2
^EVAL  => 2



=== TEST 4: the text is answered by nothing, the deadline holds for both
--- http_config: redis://127.0.0.1:$TEST_NGINX_FAKE timeout=100ms
--- broken: noscript-silent
--- error_log
timed out
decided without Redis



=== TEST 5: READONLY
--- answer: readonly
--- error_log
gw ratelimit: Redis replied "READONLY You can", 0 more
gw ratelimit: decided without Redis, 0 more before



=== TEST 6: OOM
--- answer: oom
--- error_log
Redis replied "OOM command not allowed when used memory", 0 more



=== TEST 7: LOADING
--- answer: loading
--- error_log
Redis replied "LOADING Redis is loading the dataset in memory"



=== TEST 8: NOPERM
--- answer: noperm
--- error_log
Redis replied "NOPERM this user has no permissions"



=== TEST 9: the text of an error is no format
--- answer: percent
--- error_log
Redis replied "ERR", 0 more



=== TEST 10: an error without a text
--- answer: empty
--- error_log
Redis replied ""



=== TEST 11: no value
--- answer: nil
--- error_log
Redis replied "something unexpected"



=== TEST 12: no array
--- answer: nothing
--- error_log
Redis replied "something unexpected"



=== TEST 13: an integer
--- answer: integer
--- error_log
Redis replied "something unexpected"



=== TEST 14: a status
--- answer: status
--- error_log
Redis replied "something unexpected"



=== TEST 15: a string
--- answer: bulk
--- error_log
Redis replied "something unexpected"



=== TEST 16: strings in place of integers
--- answer: strings
--- error_log
Redis replied "something unexpected"



=== TEST 17: arrays in an array
--- answer: nested
--- error_log
Redis replied "something unexpected"



=== TEST 18: too few integers
--- answer: few
--- error_log
Redis replied "something unexpected"



=== TEST 19: too many integers
--- answer: many
--- error_log
Redis replied "something unexpected"



=== TEST 20: no integers
--- answer: none
--- error_log
Redis replied "something unexpected"



=== TEST 21: refused, and nothing to wait for
--- answer: refused
--- error_log
Redis replied "something unexpected"



=== TEST 22: granted, and something to wait for
--- answer: granted
--- error_log
Redis replied "something unexpected"



=== TEST 23: fewer than no tokens left
--- answer: negative
--- error_log
Redis replied "something unexpected"



=== TEST 24: more tokens than there are
--- answer: full
--- error_log
Redis replied "something unexpected"



=== TEST 25: the largest integer
--- answer: largest
--- error_log
Redis replied "something unexpected"



=== TEST 26: the smallest integer
--- answer: smallest
--- error_log
Redis replied "something unexpected"



=== TEST 27: a wait of no meaning
--- answer: waitless
--- error_log
Redis replied "something unexpected"



=== TEST 28: taken more than once
--- answer: twice
--- error_log
Redis replied "something unexpected"



=== TEST 29: a lease that nobody asked for
--- answer: present
--- error_log
Redis replied "something unexpected"



=== TEST 30: one that is owed
--- answer: debt
--- error_log
Redis replied "something unexpected"



=== TEST 31: the answer of somebody else
--- broken: garbage
--- error_log
sent an invalid reply, 0 more failures before



=== TEST 32: an integer that is none
--- broken: letters
--- error_log
sent an invalid reply



=== TEST 33: an answer that is too long
--- broken: endless
--- error_log
sent an invalid reply



=== TEST 34: an answer that is too deep
--- broken: deep
--- error_log eval
qr/sent an invalid reply|replied "something unexpected"/



=== TEST 35: closed in place of an answer
--- broken: closed
--- error_log
closed the connection



=== TEST 36: closed in the middle of an answer
--- broken: midway
--- error_log
closed the connection



=== TEST 37: no answer: both policies after the timeout, nothing is repeated
--- http_config: redis://127.0.0.1:$TEST_NGINX_FAKE timeout=500ms
--- init
wait_for(sub { http('/t.txt?k=taken') =~ /X-Status: passed/ }, 'Redis');
ask($ENV{TEST_NGINX_FAKE}, qw(FAKE FORGET));
--- answer: silent
--- error_log
timed out, 0 more failures before
--- fake
^EVALSHA <= 2
^EVAL  => 0



=== TEST 38: a late answer is not taken for that of the next request
--- http_config: redis://127.0.0.1:$TEST_NGINX_FAKE timeout=300ms
--- init
my $fake = sub { return ask($ENV{TEST_NGINX_FAKE}, 'FAKE', @_) };
my ($says, $response, %seen);
wait_for(sub {
    wait_for(sub { says('/t.txt?k=taken') eq '200 passed' }, 'Redis');
    $fake->('FORGET');
    $says = says('/t.txt?k=held');
    my $held = $fake->('RELEASE');
    $response = http('/t.txt?k=taken');
    %seen = map { $_ => $fake->('SEEN', "^$_") } qw(CONNECT EVALSHA);
    return $held == 1 && $seen{CONNECT} == 0
           && header($response, 'X-Status') ne 'unchecked';
}, 'an answer that is late, but not for the connection');
is($says, '200 unchecked', 'it is late');
is(header($response, 'RateLimit'), '"calls";r=4;t=1', 'the next has its own');
is($seen{EVALSHA}, 2, 'none was asked for twice');
--- request
GET /t.txt?k=other



=== TEST 39: the timeout holds also if it is longer than a stall
--- http_config: redis://127.0.0.1:$TEST_NGINX_FAKE timeout=2s
--- init
my $start = time();
http('/deny?k=silent') =~ /X-Status: unavailable/ or die 'not unavailable';
my $took = time() - $start;
cmp_ok($took, '>=', 1.5, 'waited for the timeout');
--- request
GET /t.txt?k=taken



=== TEST 40: a silent connection is replaced by another
--- http_config: redis://127.0.0.1:$TEST_NGINX_FAKE timeout=3s
--- init
wait_for(sub { says('/t.txt?k=taken') eq '200 passed' }, 'Redis');
ask($ENV{TEST_NGINX_FAKE}, qw(FAKE FORGET));
is(says('/t.txt?k=silent'), '200 unchecked', 'silent');
wait_for(sub { says('/t.txt?k=taken') eq '200 passed' }, 'another connection');
--- request
GET /t.txt?k=taken
--- log_lines
1 gw redis: .* is back after 1 failures
--- fake
^CONNECT => 1



=== TEST 41: many failures, few lines
--- http_config: redis://127.0.0.1:$TEST_NGINX_FAKE timeout=10s
--- pipelined_requests eval
[("GET /t.txt?k=oom") x 5]
--- response_body eval
[("hello\n") x 5]
--- log_lines
1 gw ratelimit: Redis replied "OOM
1 gw ratelimit: decided without Redis



=== TEST 42: one of several limits is to deny
--- config
    location = /t.txt {
        gw_ratelimit  calls key=oom rate=1r/s burst=5 error=allow;
        gw_ratelimit  other key=oom rate=1r/s burst=5 error=deny;
    }

    location = /other.txt {
        gw_ratelimit  calls key=oom rate=1r/s burst=5;
        gw_ratelimit  other key=oom rate=1r/s burst=5 error=allow;
    }
--- request eval
["GET /t.txt", "GET /other.txt"]
--- error_code eval
[503, 200]



=== TEST 43: what was not checked is not asked for again in another location
--- init
ask($ENV{TEST_NGINX_FAKE}, qw(FAKE FORGET));
--- config
    gw_ratelimit  calls key=oom rate=1r/s burst=5;
    add_header    X-Status $gw_ratelimit_status;

    location = /t.txt {
        try_files  /none /other.txt;
    }

    location = /other.txt { }
--- request
GET /t.txt
--- response_body
other
--- response_headers
X-Status: unchecked
! RateLimit
--- fake
^EVALSHA => 1



=== TEST 44: refused
--- http_config: redis://127.0.0.1:1 timeout=10s
--- answer: taken
--- error_log
gw redis: 127.0.0.1:1 could not connect, 0 more failures before (111: Connection refused)



=== TEST 45: no such socket
--- http_config: unix:$TEST_NGINX_SERVER_ROOT/none.sock timeout=10s
--- answer: taken
--- error_log
could not connect, 0 more failures before (2: No such file or directory)
--- no_error_log
[crit]



=== TEST 46: not a socket
--- http_config: unix:$TEST_NGINX_SERVER_ROOT/html/t.txt timeout=10s
--- answer: taken
--- error_log
could not connect, 0 more failures before



=== TEST 47: connected, and no word
--- http_config: redis://127.0.0.1:$TEST_NGINX_MUTE timeout=50ms
--- answer: taken
--- error_log
timed out



=== TEST 48: loading its data
--- http_config: redis://127.0.0.1:$TEST_NGINX_LOADING timeout=10s
--- answer: taken
--- error_log
PING failed: LOADING Redis is loading the dataset in memory



=== TEST 49: asks for a password
--- http_config: redis://127.0.0.1:$TEST_NGINX_NOAUTH timeout=10s
--- answer: taken
--- error_log
PING failed: NOAUTH Authentication required.



=== TEST 50: does not know the password
--- http_config: redis://joe:sesame@127.0.0.1:$TEST_NGINX_WRONGPASS timeout=10s
--- answer: taken
--- error_log
AUTH failed: WRONGPASS, 0 more
--- no_secret
sesame
joe



=== TEST 51: does not have that database
--- http_config: redis://127.0.0.1:$TEST_NGINX_NODB/99 timeout=10s
--- answer: taken
--- error_log
SELECT failed: ERR DB index is out of range



=== TEST 52: has too many clients, which it says unasked
--- http_config: redis://127.0.0.1:$TEST_NGINX_CROWDED timeout=10s
--- answer: taken
--- error_log
ERR max number of clients reached



=== TEST 53: is something else, which speaks first
--- http_config: redis://127.0.0.1:$TEST_NGINX_TALKS timeout=10s
--- answer: taken
--- error_log
sent an invalid reply



=== TEST 54: is back
--- init
ask($ENV{TEST_NGINX_FAKE}, qw(FAKE SET down 1));
http('/t.txt?k=closed') =~ /X-Status: unchecked/ or die 'not unchecked';
wait_for(sub {
    http('/t.txt?k=taken');
    return ask($ENV{TEST_NGINX_FAKE}, qw(FAKE SEEN ^CONNECT)) > 2;
}, 'attempts to connect');
ask($ENV{TEST_NGINX_FAKE}, qw(FAKE SET down 0));
wait_for(sub { http('/t.txt?k=taken') =~ /X-Status: passed/ }, 'Redis');
--- request
GET /deny?k=taken
--- response_headers
X-Status: passed
--- log_lines
1 gw redis: .* is back after \d+ failures



=== TEST 55: the real one forgot the script
--- http_config: redis://127.0.0.1:$TEST_NGINX_REDIS_PORT timeout=10s
--- init
redis(qw(SCRIPT FLUSH));
--- request eval
["GET /t.txt?k=flushed", "GET /t.txt?k=flushed"]
--- error_code eval
[200, 200]
--- response_headers eval
["X-Status: passed", "X-Status: passed"]



=== TEST 56: the real one has something else in place of a bucket
--- http_config: redis://127.0.0.1:$TEST_NGINX_REDIS_PORT timeout=10s
--- redis_init
LPUSH gw:{list}:calls x
--- answer: list
--- error_log
WRONGTYPE Operation against a key holding the wrong kind of value
--- redis
LLEN gw:{list}:calls => 1



=== TEST 57: the real one is full
--- http_config: redis://127.0.0.1:$TEST_NGINX_REDIS_PORT timeout=10s
--- init
redis(qw(CONFIG SET maxmemory-policy noeviction maxmemory 1));
--- answer: oom
--- error_log
OOM



=== TEST 58: repeats the password
--- http_config: redis://joe:sesame@127.0.0.1:$TEST_NGINX_REPEATS timeout=10s
--- answer: taken
--- error_log
AUTH failed: ERR, 0 more
--- no_secret
sesame
joe



=== TEST 59: repeats the password without quotes
--- http_config: redis://joe:sesame@127.0.0.1:$TEST_NGINX_ECHO timeout=10s
--- answer: taken
--- error_log
AUTH failed: ERR, 0 more
--- no_secret
sesame



=== TEST 60: repeats the key
--- answer: repeats
--- error_log
Redis replied "ERR unknown command", 0 more
--- no_secret
secret



=== TEST 61: it has counted more gateways than there can be
--- http_config: redis://127.0.0.1:$TEST_NGINX_MANY timeout=10s
--- config
    add_header  X-Status "$gw_ratelimit_status" always;
    add_header  X-Pid $pid always;

    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/s burst=100 lease=10%
                      error=local;
    }

    location = /metrics {
        gw_metrics;
    }
--- init
wait_for(sub { http('/metrics') =~ /^gw_ratelimit_nodes 10000$/m },
         'a number with a bound');
my $pid = header(http('/t.txt?k=other'), 'X-Pid');
is(says("/t.txt?k=many$_"), '200 local', 'passed') for 1 .. 3;
is(says("/t.txt?k=many$_"), '429 limited', 'its share is one token') for 1 .. 3;
is(header(http('/t.txt?k=last'), 'X-Pid'), $pid, 'the same worker');
--- request
GET /t.txt?k=many
--- response_headers
X-Status: local
