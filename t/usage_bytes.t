# Copyright (C) The nginx gateway modules authors

# Bytes and durations are those of nginx's own log, whatever the protocol is.

use strict;
use warnings;

use IO::Socket::INET;

use Test::Nginx::Socket 'no_plan';
use GwUsage;
use GwScene;



add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('user_files', ">>> t.txt\n" . 'x' x 3000 . "\n");

    $block->set_value('config', <<'END') if !defined $block->config;
    gw_usage      on;
    gw_usage_api  $arg_n;
END
});


# sends all of it, reads all of the answer

sub talk {
    my ($text, $port) = @_;

    my $sock = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $port // Test::Nginx::Util::server_port())
        or die "client: $!\n";

    print $sock $text;

    return do { local $/; <$sock> } // '';
}


no_long_string();
run_tests();

__DATA__

=== TEST 1: HTTP/0.9
--- scene eval
sub {
    Test::More::like(main::talk("GET /t.txt?n=old\r\n"), qr/^x{3000}\n$/,
                     'no header');
}
--- sums
api=old interim=0



=== TEST 2: requests of one connection
--- scene eval
sub {
    my $answer = main::talk(
        "GET /t.txt?n=first HTTP/1.1\r\nHost: a\r\n\r\n"
        . "HEAD /t.txt?n=second HTTP/1.1\r\nHost: a\r\nX: yyyyyyyy\r\n\r\n"
        . "GET /t.txt?n=third HTTP/1.0\r\n\r\n");

    Test::More::is(scalar(() = $answer =~ /^HTTP/mg), 3, 'answers');
}
--- sums
api=first interim=0
api=second interim=0
api=third interim=0



=== TEST 3: a body that nobody reads, and a request right behind it
--- scene eval
sub {
    my $answer = main::talk(
        "POST /t.txt?n=unread HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n"
        . "\r\n" . 'b' x 50000
        . "GET /t.txt?n=behind HTTP/1.0\r\n\r\n");

    Test::More::like($answer, qr/ 405 .* 200 /s, 'answers');
}
--- sums
api=unread interim=0
api=behind interim=0



=== TEST 4: a chunked body
--- config
    location = /t {
        gw_usage      on;
        gw_usage_api  $arg_n;
        proxy_pass    http://$TEST_NGINX_UPSTREAM;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(
        "PUT /t?n=chunked HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n"
        . CORE::join '', map { sprintf "%x\r\n%s\r\n", $_, 'c' x $_ }
                             1 .. 99, 0);

    syswrite($up, "HTTP/1.0 200 OK\r\n\r\nhello");
    close($up);
    GwScene::expect($client, 'hello');
    GwScene::eof_of($client);
}
--- sums
api=chunked interim=0



=== TEST 5: a client that waits for 100
--- config
    location = /t {
        gw_usage      on;
        gw_usage_api  $arg_n;
        proxy_pass    http://$TEST_NGINX_UPSTREAM;
        proxy_request_buffering  off;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(
        "PUT /t?n=expect HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        . "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n");

    GwScene::expect($client, "100 Continue\r\n\r\n");
    syswrite($client, 'd' x 10);
    GwScene::expect($up, 'd{10}');
    syswrite($up, "HTTP/1.0 200 OK\r\n\r\nhello");
    close($up);
    GwScene::expect($client, 'hello');
    GwScene::eof_of($client);
}
--- sums
api=expect interim=0



=== TEST 6: a response that is compressed
--- config
    gw_usage      on;
    gw_usage_api  $arg_n;
    gzip          on;
    gzip_types    text/plain;
--- scene eval
sub {
    Test::More::like(
        main::talk("GET /t.txt?n=gzip HTTP/1.1\r\nHost: a\r\n"
                   . "Accept-Encoding: gzip\r\nConnection: close\r\n\r\n"),
        qr/Content-Encoding: gzip/, 'compressed');
}
--- sums
api=gzip interim=0



=== TEST 7: HTTP/2
--- http_config
    server {
        listen  127.0.0.1:$TEST_NGINX_FREE_PORT http2;
        root    html;
        gw_usage      on;
        gw_usage_api  $arg_n;
        location / {
            root  $TEST_NGINX_SERVROOT/html;
        }
    }
--- scene eval
sub {
    my $url = "http://127.0.0.1:$ENV{TEST_NGINX_FREE_PORT}/t.txt";
    my $curl = 'curl -s --http2-prior-knowledge';
    my $body = 'e' x 5000;

    Test::More::like(scalar `$curl '$url?n=h2'`, qr/^x{3000}\n$/, 'answer');
    `$curl -d '$body' '$url?n=h2post'`;
}
--- sums
api=h2 interim=0
api=h2post interim=0
