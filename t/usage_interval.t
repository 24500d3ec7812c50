# Copyright (C) The nginx gateway modules authors

# Interim events of requests that take long: they come while the request
# goes on, and all of its events add up to the whole.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwUsage;
use GwScene;


no_long_string();
run_tests();

__DATA__

=== TEST 1: a stream
--- config
    location = /t {
        gw_usage           on;
        gw_usage_api       stream;
        gw_usage_units     $upstream_http_x_units;
        gw_usage_interval  1s;
        proxy_pass         http://$TEST_NGINX_UPSTREAM;
        proxy_buffering    off;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(GwScene::get('/t?n=stream'));

    syswrite($up, "HTTP/1.0 200 OK\r\nX-Units: 7\r\n\r\n" . 'a' x 1000);
    GwScene::expect($client, 'a{10}');
    GwScene::interim('stream', 1);
    syswrite($up, 'b' x 500);
    GwScene::expect($client, 'b{10}');
    GwScene::interim('stream', 2);
    syswrite($up, 'c' x 300);
    close($up);
    GwScene::expect($client, 'c{10}');
}
--- sums
api=stream interim=2 units=7



=== TEST 2: nothing sent yet, the upstream takes its time
--- config
    location = /t {
        gw_usage           on;
        gw_usage_api       slow;
        gw_usage_interval  1s;
        proxy_pass         http://$TEST_NGINX_UPSTREAM;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(GwScene::get('/t?n=slow'));

    my ($event) = GwScene::interim('slow', 1);
    Test::More::like($event, qr/"status":0,.*"bytes_out":0,/, 'no answer yet');
    Test::More::like($event, qr/"upstream_ms":null/, 'no upstream time yet');

    syswrite($up, "HTTP/1.0 200 OK\r\n\r\nhello");
    close($up);
    GwScene::expect($client, 'hello');
}
--- sums
api=slow interim=1



=== TEST 3: a response that is buffered, for a client that reads slowly
--- config
    location = /t {
        gw_usage           on;
        gw_usage_api       buffered;
        gw_usage_interval  1s;
        proxy_pass         http://$TEST_NGINX_UPSTREAM;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(
        GwScene::get('/t?n=buffered', 'Connection: close'));

    syswrite($up, "HTTP/1.0 200 OK\r\n\r\n");

    my $left = 30_000_000;

    $left -= syswrite($up, 'x' x 100_000) while $left > 0;
    close($up);

    GwScene::interim('buffered', 1);
    GwScene::eof_of($client);
}
--- sums
api=buffered interim=1
--- no_error_log
[error]
[alert]



=== TEST 4: a request body that comes slowly
--- config
    location = /t {
        gw_usage           on;
        gw_usage_api       upload;
        gw_usage_interval  1s;
        proxy_pass         http://$TEST_NGINX_UPSTREAM;
        proxy_request_buffering  off;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(
        "PUT /t?n=upload HTTP/1.1\r\nHost: localhost\r\n"
        . "Content-Length: 3000\r\nConnection: close\r\n\r\n" . 'a' x 1000);

    GwScene::interim('upload', 1);
    syswrite($client, 'b' x 1000);
    GwScene::expect($up, 'b{1000}');
    GwScene::interim('upload', 2);
    syswrite($client, 'c' x 1000);
    GwScene::expect($up, 'c{1000}');
    syswrite($up, "HTTP/1.0 201 Created\r\n\r\n");
    close($up);
    GwScene::expect($client, '201 Created');
    GwScene::eof_of($client);
}
--- sums
api=upload interim=2



=== TEST 5: a WebSocket: both directions count
--- config
    location = /t {
        gw_usage            on;
        gw_usage_api        socket;
        gw_usage_interval   1s;
        proxy_pass          http://$TEST_NGINX_UPSTREAM;
        proxy_http_version  1.1;
        proxy_set_header    Upgrade $http_upgrade;
        proxy_set_header    Connection upgrade;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(
        GwScene::get('/t?n=socket', 'Upgrade: websocket',
                     'Connection: upgrade'));

    syswrite($up, "HTTP/1.1 101 Switching Protocols\r\n"
                  . "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n");
    GwScene::expect($client, "101 .*\r\n\r\n");

    syswrite($client, 'a' x 1000);
    GwScene::expect($up, 'a{1000}');
    syswrite($up, 'b' x 2000);
    GwScene::expect($client, 'b{2000}');
    my @interim = GwScene::interim('socket', 1, qr/"status":101,/);
    Test::More::pass('status of the upgrade');

    syswrite($client, 'c' x 300);
    GwScene::expect($up, 'c{300}');
    GwScene::interim('socket', @interim + 1);
    syswrite($up, 'd' x 40);
    GwScene::expect($client, 'd{40}');
    close($client);
    GwScene::eof_of($up);
}
--- sums
api=socket interim=2 passed=1300



=== TEST 6: a WebSocket without interim events, data right behind the request
--- config
    location = /t {
        gw_usage            on;
        gw_usage_api        early;
        proxy_pass          http://$TEST_NGINX_UPSTREAM;
        proxy_http_version  1.1;
        proxy_set_header    Upgrade $http_upgrade;
        proxy_set_header    Connection upgrade;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(
        GwScene::get('/t?n=early', 'Upgrade: websocket',
                     'Connection: upgrade') . 'e' x 70);

    syswrite($up, "HTTP/1.1 101 Switching Protocols\r\n"
                  . "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n");
    GwScene::expect($client, "101 .*\r\n\r\n");
    GwScene::expect($up, 'e{70}');
    syswrite($client, 'f' x 30);
    GwScene::expect($up, 'f{30}');
    close($client);
    GwScene::eof_of($up);
}
--- sums
api=early interim=0 passed=100



=== TEST 7: the upstream ends a WebSocket that had a request body
--- config
    location = /t {
        gw_usage            on;
        gw_usage_api        body;
        proxy_pass          http://$TEST_NGINX_UPSTREAM;
        proxy_http_version  1.1;
        proxy_set_header    Upgrade $http_upgrade;
        proxy_set_header    Connection upgrade;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(
        "POST /t?n=body HTTP/1.1\r\nHost: localhost\r\nUpgrade: other\r\n"
        . "Connection: upgrade\r\nContent-Length: 200\r\n\r\n" . 'a' x 200);

    syswrite($up, "HTTP/1.1 101 Switching Protocols\r\n"
                  . "Upgrade: other\r\nConnection: upgrade\r\n\r\n");
    GwScene::expect($client, "101 .*\r\n\r\n");
    syswrite($client, 'b' x 50);
    GwScene::expect($up, 'b{50}');
    close($up);
    GwScene::eof_of($client);
}
--- sums
api=body interim=0 passed=50



=== TEST 8: a client that goes away
--- config
    location = /t {
        gw_usage           on;
        gw_usage_api       gone;
        gw_usage_interval  1s;
        proxy_pass         http://$TEST_NGINX_UPSTREAM;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(GwScene::get('/t?n=gone'));

    GwScene::interim('gone', 1);
    close($client);
    GwScene::eof_of($up);
}
--- no_error_log
[error]
[alert]
--- sums
api=gone interim=1



=== TEST 9: fields of interim events are those of the first one
--- config
    location = /t {
        gw_usage           on;
        gw_usage_api       fields;
        gw_usage_interval  1s;
        gw_usage_field     code  $upstream_http_x_code;
        gw_usage_field     sent  $body_bytes_sent;
        gw_usage_key       fields;
        chunked_transfer_encoding  off;
        proxy_pass         http://$TEST_NGINX_UPSTREAM;
        proxy_buffering    off;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(GwScene::get('/t?n=fields'));

    syswrite($up, "HTTP/1.0 200 OK\r\nX-Code: 9\r\n\r\n" . 'a' x 100);
    GwScene::expect($client, 'a{10}');
    my @first = GwScene::interim('fields', 1);
    syswrite($up, 'b' x 100);
    GwScene::expect($client, 'b{10}');
    my @then = GwScene::interim('fields', @first + 1);
    close($up);
    GwScene::eof_of($client);

    # the first one may have been made before there was an answer

    my ($fields) = $first[0] =~ /"request_id":"\w+",(.*)/;

    Test::More::like($fields,
                     qr/^"code":(?:"9","sent":"100"|null,"sent":"0")\}\}$/,
                     'interim fields');
    Test::More::is(scalar(grep { !/,\Q$fields\E$/ } @then), 0,
                   'of all of them');
}
--- sums
api=fields interim=2
--- message: ^fields .*"type":"gw.usage.v1".*"code":"9","sent":"200"\}\}



=== TEST 10: a request that is exempt has none
--- config
    location = /t {
        gw_usage           on if=$arg_m;
        gw_usage_api       exempt;
        gw_usage_interval  1s;
        proxy_pass         http://$TEST_NGINX_UPSTREAM;
    }
    location = /u {
        gw_usage           on;
        gw_usage_api       other;
        gw_usage_interval  1s;
        proxy_pass         http://$TEST_NGINX_UPSTREAM;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(GwScene::get('/t?n=exempt'));
    my ($client2, $up2) = GwScene::begin(GwScene::get('/u?n=other'));

    GwScene::interim('other', 2);

    for ($up, $up2) {
        syswrite($_, "HTTP/1.0 200 OK\r\n\r\nhello");
        close($_);
    }

    GwScene::expect($_, 'hello') for $client, $client2;
    Test::More::is(scalar(grep { /"api":"exempt"/ }
                          GwUsage::kafka_messages('%s\n')), 0, 'no event');
}
--- sums
api=other interim=2



=== TEST 11: an interval that is inherited, and off again
--- http_config
    gw_usage           on;
    gw_usage_interval  1s;
--- config
    location = /t {
        gw_usage_api       off;
        gw_usage_interval  off;
        proxy_pass         http://$TEST_NGINX_UPSTREAM;
    }
    location = /u {
        gw_usage_api       on;
        proxy_pass         http://$TEST_NGINX_UPSTREAM;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(GwScene::get('/t?n=off'));
    my ($client2, $up2) = GwScene::begin(GwScene::get('/u?n=on'));

    GwScene::interim('on', 2);

    for ($up, $up2) {
        syswrite($_, "HTTP/1.0 200 OK\r\n\r\nhello");
        close($_);
    }

    GwScene::expect($_, 'hello') for $client, $client2;
    Test::More::is(scalar(grep { /interim.*"api":"off"/ }
                          GwUsage::kafka_messages('%s\n')), 0, 'no interim');
}
--- sums
api=on interim=2
api=off interim=0



=== TEST 12: a WebSocket's first data overwrites its request: what is asked for
then is what it was when the connection was upgraded
--- http_config
    log_format  fixed  "fixed $request_length $bytes_sent $request_time";
    map $uri $price {
        default       1;
        /t/expensive  5;
    }
--- config
    location /t {
        gw_usage            on;
        gw_usage_api        fixed;
        gw_usage_units      $price;
        gw_usage_field      path $uri;
        gw_usage_field      who $http_x_who;
        access_log          logs/sums.log fixed;
        proxy_pass          http://$TEST_NGINX_UPSTREAM;
        proxy_http_version  1.1;
        proxy_set_header    Upgrade $http_upgrade;
        proxy_set_header    Connection upgrade;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(
        GwScene::get('/t/expensive', 'X-Who: me', 'Upgrade: websocket',
                     'Connection: upgrade') . '/' x 20000);

    syswrite($up, "HTTP/1.1 101 Switching Protocols\r\n"
                  . "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n");
    GwScene::expect($client, "101 .*\r\n\r\n");
    GwScene::expect($up, '/{20000}');
    close($client);
    GwScene::eof_of($up);
}
--- sums
api=fixed interim=0 units=5 passed=20000
--- message: "type":"gw.usage.v1".*"api":"fixed","method":"GET",.*"path":"/t/expensive","who":"me"\}\}



=== TEST 13: the same, with interim events
--- http_config
    log_format  fixed  "parts $request_length $bytes_sent $request_time";
    map $uri $price {
        default       1;
        /t/expensive  5;
    }
--- config
    location /t {
        gw_usage            on;
        gw_usage_api        parts;
        gw_usage_units      $price;
        gw_usage_field      path $uri;
        gw_usage_field      who $http_x_who;
        gw_usage_interval   1s;
        access_log          logs/sums.log fixed;
        proxy_pass          http://$TEST_NGINX_UPSTREAM;
        proxy_http_version  1.1;
        proxy_set_header    Upgrade $http_upgrade;
        proxy_set_header    Connection upgrade;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(
        GwScene::get('/t/expensive', 'X-Who: me', 'Upgrade: websocket',
                     'Connection: upgrade') . '/' x 20000);

    syswrite($up, "HTTP/1.1 101 Switching Protocols\r\n"
                  . "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n");
    GwScene::expect($client, "101 .*\r\n\r\n");
    GwScene::expect($up, '/{20000}');

    my @interim = GwScene::interim('parts', 1);
    Test::More::like($interim[0],
                     qr{"method":"GET",.*"path":"/t/expensive","who":"me"\}\}},
                     'fields of interim events');
    close($client);
    GwScene::eof_of($up);
}
--- sums
api=parts interim=1 units=5 passed=20000
--- message: "type":"gw.usage.v1".*"api":"parts","method":"GET",.*"path":"/t/expensive","who":"me"\}\}
