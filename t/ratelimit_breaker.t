# Copyright (C) The nginx gateway modules authors

# Redis hangs without closing, or answers too late: a few requests wait for
# it, the others do not.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


my $redis = redis_server('redis-hangs');

show('X-Status' => '$gw_ratelimit_status');


# failures by their cause, of the nginx of the block

sub failures {
    my $metrics = http('/metrics');

    return map {
        my ($n) = $metrics =~ /^gw_ratelimit_redis_failures_total
                               \{cause="$_"\}\ (\d+)$/mx;
        $_ => $n // 0;
    } qw(error timed_out lost unavailable busy);
}


# it waits, for its answer or for a connection

sub waited {
    my %failures = failures();

    return $failures{timed_out} + $failures{lost};
}


# Redis works at the beginning, and is stopped

sub hang {
    wait_for(sub { says('/t.txt?k=begin' . rand) eq '200 passed' }, 'Redis');
    $redis->signal('STOP');
}


sub goes_on {
    $redis->signal('CONT');
    wait_for(sub { says('/t.txt?k=end' . rand) eq '200 passed' }, 'Redis');
}


add_block_preprocessor(sub {
    my $block = shift;

    my $timeout = $block->timeout_ms // '100ms';

    $block->set_value('http_config', 'gw_ratelimit_redis redis://127.0.0.1:'
                      . $redis->port . " timeout=$timeout;\n");

    $block->set_value('config', <<'END');
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1000;
    }

    location = /deny {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1000 error=deny;
        alias         html/t.txt;
    }

    location = /metrics {
        gw_metrics;
    }
END

    $block->set_value('request', 'GET /deny?k=last');
    $block->set_value('response_headers', 'X-Status: passed');
    $block->set_value('no_error_log', "[alert]\n[crit]\n[emerg]");
});

# whatever became of the block

add_test_cleanup_handler(sub { $redis->signal('CONT') });

no_shuffle();
run_tests();

__DATA__

=== TEST 1: the first ones wait, the others do not
--- init
hang();
is(answers(5, '/t.txt?k=hangs'), join(', ', ('200 unchecked') x 5), 'let in');
my %at_first = failures();
is($at_first{timed_out}, 5, 'five have waited');
is($at_first{unavailable}, 0, 'no more');
is(answers(200, '/deny?k=hangs'), join(', ', ('503 unavailable') x 200),
   'refused');
my %then = failures();
cmp_ok(waited() - 5, '<', 20, 'few more');
cmp_ok($then{unavailable}, '>', 180, 'the others did not');
goes_on();
--- log_lines
1 \[error\] .* gw redis: .*(timed out|unavailable)
1 \[warn\] .* gw ratelimit: .* without Redis



=== TEST 2: those who come at once wait together
--- timeout_ms: 500ms
--- init
hang();
my @clients = map {
    send_http("GET /t.txt?k=$_ HTTP/1.0\r\nHost: localhost\r\n\r\n")
} 1 .. 50;
is(scalar(grep { read_http($_) =~ /^X-Status: unchecked/m } @clients), 50,
   'all are let in');
my $waited = waited();
is(answers(100, '/t.txt?k=then'), join(', ', ('200 unchecked') x 100),
   'let in');
cmp_ok(waited() - $waited, '<', 20, 'the others did not wait');
goes_on();



=== TEST 3: again and again
--- init
for my $n (1 .. 3) {
    hang();
    wait_for(sub {
        says("/t.txt?k=again$n");
        my %failures = failures();
        return $failures{unavailable} >= 50 * $n;
    }, 'requests that are not asked about');
    goes_on();
}
cmp_ok(waited(), '<', 60, 'few have waited');



=== TEST 4: an answer in time closes it; late answers are nobody's
--- init
hang();
is(says("/t.txt?k=late"), '200 unchecked', 'not checked') for 1 .. 10;
goes_on();
wait_for(sub { header(http('/deny?k=number'), 'RateLimit') =~ /;r=99\d;/ },
         'an answer of its own');
my $n = header(http('/deny?k=number'), 'RateLimit') =~ s/.*;r=(\d+);.*/$1/r;
for my $i (1 .. 20) {
    like(http('/deny?k=number'), qr/;r=@{[ $n - $i ]};/, "answer $i");
}
