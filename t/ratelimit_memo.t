# Copyright (C) The nginx gateway modules authors

# What the memory of refusals does with answers that a real Redis gives seldom,
# and what becomes of it when workers do.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


# a bucket's answer by the key, of left, wait and full; "seldom" never refuses
# the cost of 1

my %buckets = (
    soon   => [0, 999, 1000],
    never  => [3, -1, 1_000_000],
    day    => [0, 86_400_000_000, 86_400_000_000],
    seldom => [1, 50_000_000, 50_000_000],
);

$ENV{TEST_NGINX_FAKE} = fake_redis(sub {
    my ($state, @command) = @_;

    my $key = subject(@command) or return hello(@command);
    my ($name) = $key =~ /\A([a-z]+)/;
    my ($cost) = $command[7];

    return error("unknown \"$key\"") if !$buckets{$name};
    return integers(1, 0, 0, 1_000_000, 0) if $name eq 'seldom' && $cost <= 1;
    return integers(0, @{$buckets{$name}}, 0);
});


sub fake {
    return ask($ENV{TEST_NGINX_FAKE}, 'FAKE', @_);
}


sub asked {
    return fake('SEEN', "gw:\\{$_[0]\\}");
}


our $http = <<'END';
    gw_ratelimit_redis  redis://127.0.0.1:$TEST_NGINX_FAKE timeout=10s;
END

our $locations = <<'END';
        location = /t.txt {
            gw_ratelimit  calls key=$arg_k rate=1r/s burst=100 cost=$arg_c;
        }
END

show('X-Status' => '$gw_ratelimit_status',
     'X-Limits' => '$gw_ratelimit_limits');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', $http);
    $block->set_value('config', $locations . "    location = /other.txt { }\n");
    $block->set_value('request', 'GET /other.txt');
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a refusal that ends within a millisecond is not remembered
--- init
is(answers(5, '/t.txt?k=soon&c=1'), join(', ', ('429 limited') x 5), 'refused');
is(asked('soon'), 5, 'each time by Redis');



=== TEST 2: what can never pass is not asked again, without a time to wait
--- init
my ($n, @found) = in_time(1.5, sub {
    my $k = "never-$_[0]";
    my @found = map { http("/t.txt?k=$k&c=5") } 1, 2;
    return (asked($k), @found, says("/t.txt?k=$k&c=4"), asked($k));
});
for my $response (splice @found, 0, 2) {
    is(header($response, 'X-Status'), 'impossible', 'impossible');
    is(header($response, 'Retry-After'), undef, 'no Retry-After');
}
is($n, 1, 'Redis was asked once');
is($found[0], '429 impossible', 'fewer tokens');
is($found[1], 2, 'are asked for');



=== TEST 3: a larger cost is told to wait for longer
--- init
my ($wait, $more, $n) = in_time(1.5, sub {
    my $k = "seldom-$_[0]";
    says("/t.txt?k=$k&c=2");
    return (map({ header(http("/t.txt?k=$k&c=$_"), 'Retry-After') } 2, 12),
            asked($k));
});
is($n, 1, 'from memory');
cmp_ok($wait, '<=', 51, 'not too long');
cmp_ok($more, '>=', $wait + 9, 'ten tokens, ten seconds');



=== TEST 4: fewer tokens pass, and the refusal of more stays
--- init
is(says('/t.txt?k=seldom4&c=2'), '429 limited', 'refused');
is(answers(3, '/t.txt?k=seldom4&c=1'),
   '200 passed, 200 passed, 200 passed', 'passed');
is(says('/t.txt?k=seldom4&c=2'), '429 limited', 'refused again');



=== TEST 5: it survives a reload
--- init
my $gateway = gateway($main::http, $main::locations);
my $port = $gateway->port;
my $pid = header(http('/t.txt?k=day5&c=1', $port), 'X-Pid');
$gateway->reload;
my ($response, $n);
wait_for(sub {
    http('/t.txt?k=day5&c=1', $port);
    $n = asked('day5');
    $response = http('/t.txt?k=day5&c=1', $port);
    return header($response, 'X-Pid') != $pid && asked('day5') == $n;
}, 'an answer of the new worker, from memory');
is(header($response, 'X-Limits'), 'calls=remembered', 'remembered');



=== TEST 6: and a worker that is killed
--- init
my $gateway = gateway($main::http, $main::locations);
my $port = $gateway->port;
my $pid = header(http('/t.txt?k=day6&c=1', $port), 'X-Pid');
my ($next, $limits) = ($pid, '');
wait_for(sub {
    kill('KILL', $pid);
    my $response = eval { http('/t.txt?k=day6&c=1', $port) } // return 0;
    ($next) = $response =~ /^X-Pid: (\d+)/m or return 0;
    $limits = header($response, 'X-Limits');
    return $next != $pid;
}, 'another worker');
wait_for(sub {
    $limits = header(http('/t.txt?k=day6&c=1', $port), 'X-Limits');
    return $limits eq 'calls=remembered';
}, 'an answer from memory');
is($limits, 'calls=remembered', 'remembered');
