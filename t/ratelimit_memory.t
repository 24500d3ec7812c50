# Copyright (C) The nginx gateway modules authors

# Refusals are remembered: a caller who is refused costs Redis next to nothing,
# and is never refused longer than Redis would have.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;
use Time::HiRes qw(sleep time);


show('X-Status' => '$gw_ratelimit_status',
     'X-Limits' => '$gw_ratelimit_limits');

# one response of a connection that lasts

sub read_status {
    my $socket = shift;

    my ($status) = <$socket> =~ m{\AHTTP/1\.1 (\d+)} or die "no response\n";
    my $size = 0;

    while ((my $line = <$socket>) ne "\r\n") {
        $size = $1 if $line =~ /\AContent-Length: (\d+)/i;
    }

    read($socket, my $body, $size) == $size or die "no body\n";

    return $status;
}


same_day();

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "    location = /other.txt { }\n")
        if !defined $block->config;

    $block->set_value('request', 'GET /other.txt')
        if !defined $block->request;
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: the second refusal is answered from memory, as the first one
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }
--- init
my ($n, @first) = in_time(1.5, sub {
    my $k = shift;
    my $passed = says("/t.txt?k=$k");
    my $n = evals();
    my @first = map { http("/t.txt?k=$k") } 1 .. 2;
    return (evals() - $n, @first, $passed);
});
is(pop @first, '200 passed', 'passed');
is($n, 1, 'Redis was asked once');
is(header($first[0], 'X-Limits'), 'calls=limited', 'by Redis');
is(header($first[1], 'X-Limits'), 'calls=remembered', 'from memory');
for my $field (qw(X-Status RateLimit-Policy Content-Type)) {
    is(header($first[1], $field), header($first[0], $field), $field);
}
like(header($first[1], 'Retry-After'), qr/\A86(40[01]|3\d\d)\z/, 'Retry-After');
like(header($first[1], 'RateLimit'), qr/\A"calls";r=0;t=86(40[01]|3\d\d)\z/,
     'RateLimit');
like($first[1], qr/"violated-policies":\["calls"\]\}\n\z/, 'problem');
--- request
GET /t.txt?k=other
--- response_headers
X-Status: passed



=== TEST 2: Redis is asked again after two seconds, not before
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }
--- init
my $start = time();
is(answers(2, '/t.txt?k=seldom'), '200 passed, 429 limited', 'used up');
my ($n, $requests, %says) = (evals(), 0);
wait_for(sub {
    $says{says('/t.txt?k=seldom')}++;
    $requests++;
    return evals() >= $n + 2;
}, 'two more questions');
is(join(', ', keys %says), '429 limited', 'refused');
cmp_ok(time() - $start, '>', 3.5, 'they took their time');
cmp_ok($requests, '>', 2, 'there were more requests');



=== TEST 3: or when there are tokens again, if that is before
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=2r/s burst=1;
    }
--- init
my ($start, $passed, $requests, $n) = (time(), 0, 0, evals());
wait_for(sub {
    $requests++;
    $passed++ if says('/t.txt?k=refill') eq '200 passed';
    return $passed == 5;
}, 'five tokens');
my $asked = evals() - $n;
my $refills = 1 + 2 * (time() - $start);
cmp_ok($asked, '<=', 5 * $refills, "few questions: $asked for $requests");



=== TEST 4: a client that waits for as long as it was told is let in
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/s burst=1;
    }

    location = /other.txt {
        gw_ratelimit  slow key=$arg_k rate=20r/m burst=1;
    }
--- init
for my $path ('/t.txt?k=wait', '/other.txt?k=wait') {
    says($path);
    my $told = header(http($path), 'Retry-After') // next;
    sleep(0.3);
    my $again = header(http($path), 'Retry-After') // next;
    sleep($again);
    is(says($path), '200 passed', "$path - $told s, then $again s");
}
--- request
GET /t.txt?k=wait2
--- response_headers
X-Status: passed



=== TEST 5: a paid upgrade works at once
--- http_config
    gw_ratelimit_tier  free rate=1r/d burst=1;
    gw_ratelimit_tier  gold rate=1r/d burst=2;
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k tier=$arg_t;
    }
--- request eval
["GET /t.txt?k=up&t=free", "GET /t.txt?k=up&t=free", "GET /t.txt?k=up&t=free",
 "GET /t.txt?k=up&t=gold", "GET /t.txt?k=up&t=free", "GET /t.txt?k=up&t=gold",
 "GET /t.txt?k=up&t=gold"]
--- error_code eval
[200, 429, 429, 200, 429, 200, 429]



=== TEST 6: so do other numbers of a tier, after a reload
--- init
my $gateway = gateway(<<'END', <<'END2');
    gw_ratelimit_tier  gold rate=1r/d burst=1;
END
        location = /t.txt {
            gw_ratelimit  calls key=$arg_k tier=gold;
        }
END2
my $port = $gateway->port;
my $pid = header(http('/t.txt?k=numbers', $port), 'X-Pid');
is(answers(2, '/t.txt?k=numbers', $port), '429 limited, 429 limited', 'refused');
$gateway->edit(sub { s/burst=1;/burst=3;/ });
$gateway->reload;
my @late;
wait_for(sub {
    my $response = http('/t.txt?k=numbers', $port);
    push @late, header($response, 'X-Status');
    return header($response, 'X-Pid') != $pid;
}, 'the new numbers');
is($late[-1], 'passed', 'the first answer of the new worker');



=== TEST 7: a key that was deleted is seen in the end
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }
--- init
is(answers(3, '/t.txt?k=deleted'), '200 passed, 429 limited, 429 limited', 'refused');
redis(qw(DEL gw:{deleted}:calls));
wait_for(sub { says('/t.txt?k=deleted') eq '200 passed' }, 'the key to be missed');



=== TEST 8: for as many tokens and more, not for fewer
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=5 cost=$arg_c;
    }
--- request eval
["GET /t.txt?k=fewer&c=3", "GET /t.txt?k=fewer&c=3", "GET /t.txt?k=fewer&c=4",
 "GET /t.txt?k=fewer&c=2", "GET /t.txt?k=fewer&c=2"]
--- error_code eval
[200, 429, 429, 200, 429]
--- response_headers_like eval
["X-Limits: calls=passed", "X-Limits: calls=limited",
 "X-Limits: calls=(remembered|limited)", "X-Limits: calls=passed",
 "X-Limits: calls=limited"]



=== TEST 9: a quota's refusal is remembered, too
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1000r/s burst=9 quota=1/month;
    }
--- init
my ($says, $n, $response) = in_time(1.5, sub {
    my $path = "/t.txt?k=$_[0]";
    my $says = answers(2, $path);
    my $n = evals();
    my $response = http($path);
    return ($says, evals() - $n, $response);
});
is($says, '200 passed, 429 limited', 'used up');
is($n, 0, 'Redis is not asked');
like($response, qr/"violated-policies":\["calls-month"\]\}/, 'the same policy');
like(header($response, 'RateLimit'), qr/\A"calls-month";r=0;t=\d+\z/, 'alone');



=== TEST 10: workers share it
--- init
my $port = gateway('', <<'END', workers => 2)->port;
        location = /t.txt {
            gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
        }
END
my %workers;
wait_for(sub {
    $workers{header(http('/t.txt', $port), 'X-Pid')}++;
    return keys %workers == 2;
}, 'both workers');
%workers = ();
is(answers(2, '/t.txt?k=share', $port), '200 passed, 429 limited', 'used up');
my ($n, $asked, $requests) = (evals(), 0, 0);
wait_for(sub {
    my $response = http('/t.txt?k=share', $port);
    $asked++ if header($response, 'X-Limits') eq 'calls=limited';
    $workers{header($response, 'X-Pid')}++;
    return ++$requests >= 40 && keys %workers == 2;
}, 'both workers');
is(evals() - $n, $asked, 'Redis was asked by the answers that say so');
cmp_ok($asked, '<', $requests / 2, 'that was seldom');



=== TEST 11: many callers at once: one of them asks
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }
--- init
is(answers(2, '/t.txt?k=crowd'), '200 passed, 429 limited', 'used up');
my $n = evals();
my @clients = map {
    send_http("GET /t.txt?k=crowd HTTP/1.0\r\nHost: localhost\r\n\r\n")
} 1 .. 100;
my @refused = grep { /^X-Status: limited/m } map { read_http($_) } @clients;
is(@refused, 100, 'all are refused');
cmp_ok(evals() - $n, '<', 20, 'few questions');



=== TEST 12: another limit's refusal is nobody's memory
--- config
    location = /t.txt {
        gw_ratelimit  a key=$arg_k rate=1r/d burst=1;
        gw_ratelimit  b key=$arg_k rate=1r/d burst=9;
    }

    location = /other.txt {
        gw_ratelimit  b key=$arg_k rate=1r/d burst=9;
    }
--- request eval
["GET /t.txt?k=mine", "GET /t.txt?k=mine", "GET /t.txt?k=mine",
 "GET /other.txt?k=mine"]
--- error_code eval
[200, 429, 429, 200]



=== TEST 13: many connections, over several refills: few questions
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=2r/s burst=1;
    }
--- init
is(answers(2, '/t.txt?k=herd'), '200 passed, 429 limited', 'used up');
my @clients = map { send_http('') } 1 .. 16;
my ($start, $n, $passed, $requests) = (time(), evals(), 0, 0);
wait_for(sub {
    syswrite($_, "GET /t.txt?k=herd HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for @clients;
    $requests += @clients;
    $passed += grep { read_status($_) == 200 } @clients;
    return $passed >= 4;
}, 'four tokens');
my $asked = evals() - $n;
my $refills = 1 + 2 * (time() - $start);
cmp_ok($asked, '<=', 4 * $refills, "few questions: $asked for $requests");



=== TEST 14: with a quota it is asked for more tokens, and once for as many
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=5 quota=6/month
                      cost=$arg_c;
    }
--- init
my @limits = in_time(1.5, sub {
    my $k = shift;
    return map { header(http("/t.txt?k=$k&c=$_"), 'X-Limits') } 5, 1, 2, 2, 1;
});
is("@limits", 'calls=passed calls=limited calls=limited calls=remembered '
   . 'calls=remembered', 'each cost is asked for once');
