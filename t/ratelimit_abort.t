# Copyright (C) The nginx gateway modules authors

# Clients that leave while Redis is silent, and what is left behind: nothing.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


# as many tokens are left as the key says; nothing tells two answers apart
# otherwise

$ENV{TEST_NGINX_FAKE} = fake_redis(sub {
    my ($state, @command) = @_;

    my ($name, $left) = subject(@command) =~ /\A(held|left)-(\d+)\z/
        or return hello(@command);

    my $answer = integers(1, $left, 0, 1000000 * (100 - $left), 0);

    return $name eq 'held' ? \$answer : $answer;
});


our ($pid, $h2);


sub fake {
    return ask($ENV{TEST_NGINX_FAKE}, 'FAKE', @_);
}


sub held {
    my $n = shift;

    wait_for(sub { fake('HELD') == $n }, "$n requests at Redis");
}


# what happens meanwhile, nginx finds all at once

sub suspended {
    my $code = shift;

    kill('STOP', nginx_pid());
    wait_for(sub { slurp('/proc/' . nginx_pid() . '/stat') =~ /\) T/ },
             'nginx to stop');

    $code->();

    kill('CONT', nginx_pid());
}


sub logged {
    my ($n, $regex) = @_;

    wait_for(sub {
        $n == (() = slurp(server_root() . '/logs/access.log') =~ /$regex/g);
    }, "$n times $regex in the access log");
}


sub request {
    my ($path, @headers) = @_;

    return join '', "GET $path HTTP/1.1\r\nHost: localhost\r\n",
                    map({ "$_\r\n" } @headers), "\r\n";
}


# requests for paths, streams 1, 3, 5 and so on; HPACK without any compression

sub h2_open {
    my @paths = @_;

    my $id = 1;
    my $text = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . h2_frame(4, 0, 0, '');

    for my $path (@paths) {
        $text .= h2_frame(1, 5, $id, pack('CC CC/a CC/a', 0x82, 0x86,
                                          4, $path, 1, 'localhost'));
        $id += 2;
    }

    return send_http($text, $h2);
}


sub h2_reset {
    my ($client, @ids) = @_;

    syswrite($client, join '', map { h2_frame(3, 0, $_, pack('N', 8)) } @ids);
}


sub h2_frame {
    my ($type, $flags, $id, $payload) = @_;

    return pack('Cn CC N', 0, length $payload, $type, $flags, $id) . $payload;
}


# the bodies of N streams, by id

sub h2_read {
    my ($client, $n) = @_;

    my (%bodies, $ended);

    while ($n) {
        read($client, my $head, 9) == 9 or die "closed\n";
        my ($high, $low, $type, $flags, $id) = unpack 'Cn CC N', $head;

        my $size = $high << 16 | $low;
        read($client, my $payload, $size) == $size or die "closed\n";

        $bodies{$id} .= $payload if $type == 0;
        $n-- if $type <= 1 && $flags & 1;
    }

    return \%bodies;
}


sub begin {
    ($pid, $h2) = http('/t.txt?k=left-77')
        =~ m{^RateLimit: "calls";r=77;.*X-Pid: (\d+).*X-H2: (\d+)}ms
        or die "no answer\n";
}


add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'END');
    gw_ratelimit_redis  redis://127.0.0.1:$TEST_NGINX_FAKE timeout=10s;

    log_format  aborted '$status $arg_k $gw_ratelimit_status';

    server {
        listen      127.0.0.1:$TEST_NGINX_RAND_PORT_1 http2;
        access_log  $TEST_NGINX_SERVER_ROOT/logs/access.log aborted;

        location = /t.txt {
            gw_ratelimit  calls key=$arg_k rate=1r/s burst=100;
        }
    }
END

    $block->set_value('config', <<'END');
    access_log  $TEST_NGINX_SERVER_ROOT/logs/access.log aborted;

    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/s burst=100;
        add_header    X-Pid $pid;
        add_header    X-H2 $TEST_NGINX_RAND_PORT_1;
    }

    location = /post {
        gw_ratelimit  calls key=$arg_k rate=1r/s burst=100;
        proxy_pass    http://127.0.0.1:$TEST_NGINX_SERVER_PORT/;
    }

    location /after {
        gw_ratelimit  calls key=$arg_k rate=1r/s burst=100;
        alias         html/t.txt;

        location = /after/once {
            post_action  /action;
        }
    }

    location = /action {
        proxy_pass    http://127.0.0.1:$TEST_NGINX_SERVER_PORT/t.txt?k=held-99;
    }
END

    # the worker that answers at the end is the one of the beginning

    $block->set_value('init', "begin();\n" . $block->init);
    $block->set_value('request', 'GET /t.txt?k=left-42');
    $block->set_value('no_error_log', "[error]\n[alert]\n[crit]\n[warn]")
        if !defined $block->no_error_log;
});

add_response_body_check(sub {
    my ($block, $body) = @_;

    is($body, "hello\n", $block->name . ' - answered');
    is($pid, nginx_pid(), $block->name . ' - the same worker');
    is(fake('HELD'), 0, $block->name . ' - nothing is held');
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: forty clients leave
--- init
my @clients = map { send_http(request("/t.txt?k=held-$_")) } 1 .. 40;
held(40);
leave(@clients);
logged(40, '499 held-\d+ -');
fake('RELEASE');



=== TEST 2: clients leave politely
--- init
my @clients = map { send_http(request("/t.txt?k=held-$_")) } 1 .. 40;
held(40);
close($_) for @clients;
logged(40, '499 held-\d+ -');
fake('RELEASE');



=== TEST 3: every other one leaves, the others get their own answers
--- init
my @clients = map {
    send_http(request("/t.txt?k=held-$_", 'Connection: close'))
} 0 .. 29;
held(30);
leave(@clients[grep { $_ % 2 } 0 .. 29]);
logged(15, '499 held-\d+ -');
fake('RELEASE');
like(read_http($clients[$_]), qr/^RateLimit: "calls";r=$_;t=1\r$/m,
                 "answer $_") for grep { $_ % 2 == 0 } 0 .. 29;



=== TEST 4: clients leave just when the answer comes
--- init
for my $n (1 .. 50) {
    leave(send_http(request("/t.txt?k=left-$n")));
}
for my $n (1 .. 50) {
    my $client = send_http(request("/t.txt?k=held-$n"));
    held(1);
    leave($client);
    fake('RELEASE');
}
logged(50, '499 held-\d+ -|200 held-\d+ passed');



=== TEST 5: a client leaves, and its answer comes, in one turn of the event loop
--- init
for my $n (1 .. 10) {
    my $client = send_http(request("/t.txt?k=held-$n"));
    held(1);
    suspended(sub {
        fake('RELEASE');
        held(0);
        leave($client);
    });
}
logged(10, '499 held-\d+ -');
for my $n (11 .. 20) {
    my $client = send_http(request("/t.txt?k=held-$n"));
    held(1);
    suspended(sub {
        leave($client);
        fake('RELEASE');
        held(0);
    });
}
logged(20, '499 held-\d+ -');



=== TEST 6: a client has left before its request is read
--- init
suspended(sub {
    for my $n (1 .. 10) {
        close(send_http(request("/t.txt?k=held-$n")));
    }
});
logged(10, '499 held-\d+ -');
held(10);
fake('RELEASE');



=== TEST 7: a client sends more requests, and leaves
--- init
my @clients = map {
    send_http(request("/t.txt?k=held-$_") . request('/t.txt?k=left-9') x 3)
} 1 .. 20;
held(20);
leave(@clients);
logged(20, '499 held-\d+ -');
fake('RELEASE');



=== TEST 8: a client sends more requests, and waits
--- init
my $client = send_http(request('/t.txt?k=held-8') . request('/t.txt?k=held-7')
                       . request('/t.txt?k=left-6', 'Connection: close'));
held(1);
fake('RELEASE');
held(1);
fake('RELEASE');
is(join(' ', read_http($client) =~ /;r=(\d+);/g), '8 7 6',
               'three answers');



=== TEST 9: a body is on its way
--- init
my $post = "POST /post?k=held-%d HTTP/1.1\r\nHost: localhost\r\n"
           . "Content-Length: 10\r\nConnection: close\r\n\r\n%s";
my @clients = map { send_http(sprintf($post, $_, '01234')) } 1 .. 10;
push @clients, map { send_http(sprintf($post, $_, '0123456789')) } 11 .. 20;
held(20);
leave(@clients);
logged(20, '499 held-\d+ -');
my $client = send_http(sprintf($post, 5, '01234'));
held(21);
syswrite($client, '56789');
fake('RELEASE');
like(read_http($client), qr{^HTTP/1.1 405 }, 'a late body');



=== TEST 10: Redis leaves, too
--- init
my @clients = map {
    send_http(request("/t.txt?k=held-$_", 'Connection: close'))
} 1 .. 9;
held(9);
leave(splice @clients, 3, 3);
logged(3, '499 held-\d+ -');
fake('DROP');
like(read_http($_), qr/^hello$/m, 'unchecked') for @clients;
logged(6, '200 held-\d+ unchecked');
wait_for(sub { http('/t.txt?k=left-5') =~ /^RateLimit:/m }, 'Redis');
--- no_error_log
[alert]
[crit]



=== TEST 11: HTTP/2: streams wait for answers of their own
--- init
my $client = h2_open(map { "/t.txt?k=left-1$_" } 1 .. 9);
is(join('', values %{h2_read($client, 9)}), "hello\n" x 9, 'nine bodies');
logged(1, "200 left-1$_ passed") for 1 .. 9;



=== TEST 12: HTTP/2: some streams are reset
--- init
my $client = h2_open(map { "/t.txt?k=held-$_" } 0 .. 9);
held(10);
h2_reset($client, map { 4 * $_ + 1 } 0 .. 4);
logged(5, '499 held-[02468] -');
fake('RELEASE');
my $bodies = h2_read($client, 5);
is(join(' ', sort { $a <=> $b } keys %$bodies), '3 7 11 15 19', 'the others');
is(join('', values %$bodies), "hello\n" x 5, 'five bodies');
logged(5, '200 held-[13579] passed');



=== TEST 13: HTTP/2: the client leaves
--- init
for my $n (1 .. 5) {
    my $client = h2_open(map { "/t.txt?k=held-$n$_" } 1 .. 5);
    held(5 * $n);
    $n % 2 ? leave($client) : close($client);
    logged(5 * $n, '499 held-\d+ -');
}
fake('RELEASE');



=== TEST 14: HTTP/2: streams are reset just when the answer comes
--- init
for my $n (1 .. 20) {
    my $client = h2_open(map { "/t.txt?k=held-$_" } 1 .. 4);
    held(4);
    h2_reset($client, 1, 5);
    fake('RELEASE');
    my $bodies = h2_read($client, 2);
    is("$bodies->{3}$bodies->{7}", "hello\n" x 2, 'the others');
}
logged(80, '499 held-\d -|200 held-\d passed');



=== TEST 15: post_action of a client who has left: once
--- init
my $client = send_http(request('/after/once?k=held-1'));
held(1);
leave($client);
held(2);
fake('RELEASE');
logged(1, '200 held-99 passed');
logged(1, '(?m)^\\d+ - ');
is(fake('SEEN', 'held-99'), 1, 'asked once');
