# Copyright (C) The nginx gateway modules authors

# Redis hangs without closing, or answers too late: a few requests wait for
# it, the others do not.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;
use Time::HiRes qw(time);


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


# at the most so many since then: "n", and a few for each second, as probes and
# for new connections

sub few_since {
    my ($waited, $from, $n) = @_;

    my $more = waited() - $waited;

    cmp_ok($more, '<=', $n + 4 * (time() - $from), 'few more have waited');

    return $more;
}


# of a kind of line there is one in ten seconds

sub few_lines {
    my ($from, $regex) = @_;

    my $n = grep { /$regex/ }
            split /\n/, slurp(server_root() . '/logs/error.log');

    cmp_ok($n, '>=', 1, "logged: $regex");
    cmp_ok($n, '<=', 1 + (time() - $from) / 9, "seldom: $regex");
}


# Redis works at the beginning, and is stopped

sub hang {
    wait_for(sub { says('/t.txt?k=begin' . rand) eq '200 passed' }, 'Redis');
    stops();
}


sub stops { $redis->signal('STOP') }


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

    $block->set_value('request', 'GET /metrics');
    $block->set_value('no_error_log', "[alert]\n[crit]\n[emerg]");
});

# whatever became of the block

add_test_cleanup_handler(sub { $redis->signal('CONT') });

no_shuffle();
run_tests();

__DATA__

=== TEST 1: the first ones wait, the others do not
--- init
my $start = time();
my (%before, %at_first, $says);

# the connection lasts a second

in_time(0.9, sub {
    goes_on();
    %before = failures();
    stops();
    $says = answers(5, '/t.txt?k=hangs');
    %at_first = failures();
});
is($says, join(', ', ('200 unchecked') x 5), 'let in');
is($at_first{timed_out} - $before{timed_out}, 5, 'five have waited');
is($at_first{unavailable} - $before{unavailable}, 0, 'no more');
my ($from, $waited) = (time(), waited());
is(answers(200, '/deny?k=hangs'), join(', ', ('503 unavailable') x 200),
   'refused');
my %then = failures();
my $more = few_since($waited, $from, 10);
is($then{unavailable} - $at_first{unavailable} + $more, 200,
   'the others did not');
goes_on();
few_lines($start, '\[error\] .* gw redis: .*timed out');
few_lines($start, '\[warn\] .* gw ratelimit: .* without Redis');



=== TEST 2: those who come at once wait together
--- timeout_ms: 500ms
--- init
hang();
my @clients = map {
    send_http("GET /t.txt?k=$_ HTTP/1.0\r\nHost: localhost\r\n\r\n")
} 1 .. 50;
is(scalar(grep { read_http($_) =~ /^X-Status: unchecked/m } @clients), 50,
   'all are let in');
my ($from, $waited) = (time(), waited());
is(answers(100, '/t.txt?k=then'), join(', ', ('200 unchecked') x 100),
   'let in');
few_since($waited, $from, 10);
goes_on();



=== TEST 3: again and again
--- init
my ($from, $waited) = (time(), waited());
for my $n (1 .. 3) {
    hang();
    wait_for(sub {
        says("/t.txt?k=again$n");
        my %failures = failures();
        return $failures{unavailable} >= 50 * $n;
    }, 'requests that are not asked about');
    goes_on();
}
few_since($waited, $from, 45);



=== TEST 4: an answer in time closes it; late answers are nobody's
--- init
hang();
is(says("/t.txt?k=late"), '200 unchecked', 'not checked') for 1 .. 10;
goes_on();
wait_for(sub {
    return (header(http('/deny?k=number'), 'RateLimit') // '') =~ /;r=\d+;/;
}, 'an answer of its own');

# a machine may be too slow for an answer; its token may be taken

my ($last, $lost, @wrong) = (1000, 999);
for (1 .. 20) {
    my $fields = header(http('/deny?k=number'), 'RateLimit');
    my ($left) = ($fields // '') =~ /;r=(\d+);/ or $lost++, next;

    push @wrong, "$left after $last, $lost lost"
        if $left >= $last || $left < $last - 1 - $lost;
    ($last, $lost) = ($left, 0);
}
is_deeply(\@wrong, [], 'each has its own');
cmp_ok($last, '<', 1000, 'there were some');
