# Copyright (C) The nginx gateway modules authors

# Workers that are to end while requests wait for Redis: these are answered,
# and nothing else keeps a worker.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


my $answer = integers(1, 4, 0, 1000000, 0);

$ENV{TEST_NGINX_FAKE} = fake_redis(sub {
    my ($state, @command) = @_;

    my $key = subject(@command) or return hello(@command);

    return $key eq 'held' ? \$answer : $key eq 'silent' ? undef : $answer;
});

$ENV{TEST_NGINX_MUTE} = fake_redis(sub { $_[1] ? undef : '' });


sub fake {
    return ask($ENV{TEST_NGINX_FAKE}, 'FAKE', @_);
}


sub held {
    my $n = shift;

    wait_for(sub { fake('HELD') == $n }, "$n requests at Redis");
}


sub get {
    my $path = shift;

    return "GET $path HTTP/1.1\r\nHost: localhost\r\n"
           . "Connection: close\r\n\r\n";
}


sub worker {
    my ($pid) = http('/other.txt') =~ /^X-Pid: (\d+)/m or die "no answer\n";

    return $pid;
}


# the old worker; when this returns it knows that it is, and the new one works

sub reload {
    my $old = worker();

    kill('HUP', nginx_pid());
    quitting($old);
    wait_for(sub { worker() != $old }, 'a new worker');

    return $old;
}


sub quitting {
    my $pid = shift;

    wait_for(sub {
        slurp(server_root() . '/logs/error.log')
            =~ /\b$pid#\d+: gracefully shutting down/;
    }, 'the beginning of the end');
}


sub gone {
    my @pids = @_;

    wait_for(sub { !grep { kill(0, $_) } @pids }, "the end of @pids");
    pass('gone');
}


add_block_preprocessor(sub {
    my $block = shift;

    my $redis = $block->redis_url // 'redis://127.0.0.1:$TEST_NGINX_FAKE'
                                     . ' timeout=10s';

    $block->set_value('http_config', "gw_ratelimit_redis $redis;\n"
                      . "gw_ratelimit_tier day rate=1r/d burst=100;\n");
    $block->set_value('config', <<'END');
    add_header  X-Pid $pid;
    add_header  X-Status $gw_ratelimit_status always;

    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/s burst=5;
    }

    location = /count {
        gw_ratelimit  count key=count tier=day;
        alias         html/t.txt;
    }

    location = /deny {
        gw_ratelimit  calls key=$arg_k rate=1r/s burst=5 error=deny;
        alias         html/t.txt;
    }
END

    $block->set_value('request', 'GET /other.txt')
        if !defined $block->request;
    $block->set_value('no_error_log', "[alert]\n[crit]");
});


# "stop": a signal, to be sent while a request waits, and what is said to it

add_test_cleanup_handler(sub {
    my $block = shift;

    return if !defined $block->stop;

    my $name = $block->name;
    my ($signal, $regex) = split ' ', $block->stop, 2;
    my @pids = (worker(), nginx_pid());

    my $client = send_http(get('/t.txt?k=held'));

    held(1);
    kill($signal, $pids[1]);

    if ($signal eq 'QUIT') {
        quitting($pids[0]);
        ok(kill(0, $pids[0]), "$name - the worker waits");
        fake('RELEASE');
    }

    like(read_http($client) // '', qr/$regex/s, "$name - stop - $signal");

    gone(@pids);
    fake('RELEASE');

    unlike(slurp(server_root() . '/logs/error.log'), qr/\[alert\]/,
           "$name - no alert");
});

master_on();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: a request waits, the answer comes after the reload
--- init
my @clients = map { send_http(get('/t.txt?k=held')) } 1 .. 5;
held(5);
my $old = reload();
ok(kill(0, $old), 'the old worker waits');
fake('RELEASE');
like(read_http($_), qr{^HTTP/1.1 200 .*^X-Pid: $old\r.*^X-Status: passed}ms,
     'answered by the old worker') for @clients;
gone($old);



=== TEST 2: a request waits, no answer comes
--- redis_url: redis://127.0.0.1:$TEST_NGINX_FAKE timeout=900ms
--- init
fake('FORGET');
my $allow = send_http(get('/t.txt?k=silent'));
my $deny = send_http(get('/deny?k=silent'));
wait_for(sub { fake('SEEN', '^EVALSHA') == 2 }, 'two requests');
my $old = reload();
like(read_http($allow), qr{^HTTP/1.1 200 .*^X-Pid: $old\r.*hello\n\z}ms,
     'let in by the old worker');
like(read_http($deny), qr{^HTTP/1.1 503 .*^X-Status: unavailable}ms, 'refused');
gone($old);



=== TEST 3: a request comes to the old worker, which has no connection left
--- init
fake('FORGET');
my $client = send_http("GET /t.txt?k=late HTTP/1.1\r\nHost: localhost\r\n");
wait_for(sub {
    slurp(server_root() . '/logs/error.log') =~ /http header: "Host: localh/
}, 'half a request');
my $old = reload();
wait_for(sub {
    fake('SEEN', '^CONNECT') == 1 && fake('CLIENTS') == 2
}, 'the old worker to close its connection');
syswrite($client, "Connection: close\r\n\r\n");
like(read_http($client), qr{^HTTP/1.1 200 .*^X-Status: passed}ms, 'passed');
is(fake('SEEN', '^CONNECT'), 2, 'connected once more');
gone($old);



=== TEST 4: nothing waits
--- init
http('/t.txt?k=passed');
gone(reload());



=== TEST 5: Redis is refused
--- redis_url: redis://127.0.0.1:1
--- init
http('/t.txt?k=passed');
gone(reload());



=== TEST 6: Redis does not say a word
--- redis_url: redis://127.0.0.1:$TEST_NGINX_MUTE timeout=20ms
--- init
http('/t.txt?k=passed');
gone(reload());



=== TEST 7: answers are due that nobody waits for
--- init
my @clients = map { send_http(get('/t.txt?k=held')) } 1 .. 5;
held(5);
leave(@clients);
my $start = time();
gone(reload());
cmp_ok(time() - $start, '<', 9, 'before the timeout is over');
fake('RELEASE');



=== TEST 8: an orderly end of nginx
--- stop: QUIT \AHTTP/1.1 200 .*hello\n\z



=== TEST 9: a quick end of nginx
--- stop: TERM \A\z



=== TEST 10: reloads under load: each request is answered, and charged once
--- redis_url: redis://127.0.0.1:$TEST_NGINX_REDIS_PORT timeout=10s
--- init
my $bad = 0;
for (1 .. 12) {
    my @clients = map { send_http(get('/count')) } 1 .. 5;
    kill('HUP', nginx_pid());
    read_http($_) =~ m{^HTTP/1.1 200 .*^X-Status: passed}ms or $bad++
        for @clients;
}
is($bad, 0, 'all were let in');
--- request
GET /count
--- response_headers_like
RateLimit: "count";r=39;t=8\d+
