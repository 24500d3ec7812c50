# Copyright (C) The nginx gateway modules authors

# One event per request: what it says, and which requests have one.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwUsage;


add_block_preprocessor(sub {
    my $block = shift;

    if (!defined $block->user_files) {
        $block->set_value('user_files', ">>> t.txt\nhello\n"
                          . ">>> dir/index.html\nindex\n"
                          . ">>> err.html\nerror\n");
    }
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: the members of an event
--- config
    location = /t.txt {
        gw_usage          on;
        gw_usage_api      orders;
        gw_usage_subject  alice;
        gw_usage_tier     gold;
        gw_usage_units    3;
    }
--- request
GET /t.txt
--- response_body
hello
--- events
specversion=1.0 id~^[0-9a-f]{16}-1$ source~. type=gw.usage.v1 subject=alice time~^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ$ datacontenttype=application/json api=orders method=GET status=200 tier=gold units=3 bytes_in~^\d\d+$ bytes_out~^\d\d\d$ duration_ms~^\d+$ upstream_ms=- limited=false degraded=false request_id~^[0-9a-f]{32}$



=== TEST 2: a message has the generation as its key, and a content type
--- config
    location = /t.txt {
        gw_usage      on;
        gw_usage_api  message;
    }
--- request
GET /t.txt
--- response_body
hello
--- events
api=message
--- message: ^([0-9a-f]{16}) content-type=application/cloudevents\+json; charset=UTF-8 \{"specversion":"1\.0","id":"\1-1",.*"api":"message"



=== TEST 3: gw_usage off, and the default
--- config
    location = /t.txt {
    }
    location /dir/ {
        gw_usage  off;
    }
--- request eval
["GET /t.txt", "GET /dir/index.html"]
--- response_body eval
["hello\n", "index\n"]
--- events



=== TEST 4: values are inherited one by one
--- http_config
    gw_usage          on;
    gw_usage_subject  everybody;
    gw_usage_units    7;
--- config
    gw_usage_api      server;
    location = /t.txt {
        gw_usage_tier     gold;
        gw_usage_subject  alice;
    }
    location /dir/ {
        gw_usage_units    0;
    }
    location = /err.html {
        gw_usage          off;
    }
--- request eval
["GET /t.txt", "GET /dir/index.html", "GET /err.html"]
--- response_body eval
["hello\n", "index\n", "error\n"]
--- events
subject=alice api=server tier=gold units=7
subject=everybody api=server tier=- units=0



=== TEST 5: without values: no subject, and one unit
--- config
    gw_usage  on;
--- request
GET /t.txt
--- response_body
hello
--- events
subject=- api=- tier=- units=1



=== TEST 6: empty values are no values
--- config
    gw_usage          on;
    gw_usage_api      $arg_none;
    gw_usage_subject  $arg_none;
    gw_usage_tier     $arg_none;
--- request
GET /t.txt
--- response_body
hello
--- events
subject=- api=- tier=-



=== TEST 7: values with variables
--- config
    gw_usage          on;
    gw_usage_api      a-$arg_a;
    gw_usage_subject  s:$arg_s;
    gw_usage_tier     $arg_t;
    gw_usage_units    $arg_u;
--- request
GET /t.txt?a=1&s=2&t=3&u=4
--- response_body
hello
--- events
api=a-1 subject=s:2 tier=3 units=4



=== TEST 8: each request of a connection has its sequence
--- config
    gw_usage          on;
    gw_usage_subject  $arg_s;
--- pipelined_requests eval
["GET /t.txt?s=1", "GET /t.txt?s=2", "POST /t.txt?s=3"]
--- response_body_like eval
["hello", "hello", "405 Not Allowed"]
--- error_code eval
[200, 200, 405]
--- events
id~-1$ subject=1 method=GET status=200
id~-2$ subject=2 method=GET status=200
id~-3$ subject=3 method=POST status=405



=== TEST 9: what the content handler refuses was admitted
--- config
    gw_usage  on;
--- request
GET /none.txt
--- error_code: 404
--- error_log
No such file
--- events
status=404 units=1



=== TEST 10: what is rejected before it has no units
--- config
    gw_usage          on;
    gw_usage_api      orders;
    gw_usage_subject  alice;
    gw_usage_units    5;
    deny              all;
--- request
GET /t.txt
--- error_code: 403
--- error_log
access forbidden by rule
--- events
status=403 units=0 api=orders subject=alice



=== TEST 11: limit_req rejects in the phase of our first look
--- http_config
    limit_req_zone  $server_name zone=one:128k rate=1r/m;
--- config
    location = /t.txt {
        gw_usage   on;
        limit_req  zone=one;
    }
--- request eval
["GET /t.txt", "GET /t.txt"]
--- error_code eval
[200, 503]
--- no_error_log
[alert]
--- events
status=200 units=1
status=503 units=0



=== TEST 12: error_page after a rejection: one event, the first location's
--- config
    location = /t.txt {
        gw_usage          on;
        gw_usage_api      orders;
        gw_usage_subject  alice;
        gw_usage_units    5;
        deny              all;
        error_page        403 /err.html;
    }
    location = /err.html {
        gw_usage          on;
        gw_usage_api      errors;
        gw_usage_subject  nobody;
    }
--- request
POST /t.txt
--- error_code: 403
--- response_body
error
--- error_log
access forbidden by rule
--- events
api=orders subject=alice method=POST status=403 units=0



=== TEST 13: error_page that changes the status after a rejection
--- config
    location = /t.txt {
        gw_usage    on;
        deny        all;
        error_page  403 =200 /err.html;
    }
    location @other {
        root  html;
    }
    location /dir/ {
        gw_usage    on;
        deny        all;
        error_page  403 = @other;
    }
--- request eval
["GET /t.txt", "GET /dir/index.html"]
--- error_code eval
[200, 200]
--- response_body eval
["error\n", "index\n"]
--- error_log
access forbidden by rule
--- events
status=200 units=0
status=200 units=0



=== TEST 14: error_page after the upstream: values stay as they were
--- config
    location = /t.txt {
        gw_usage          on;
        gw_usage_api      orders;
        gw_usage_subject  $uri;
        gw_usage_tier     $uri;
        gw_usage_units    5;
        proxy_pass        http://127.0.0.1:$TEST_NGINX_FREE_PORT;
        error_page        502 /err.html;
    }
    location = /err.html {
        gw_usage          on;
        gw_usage_api      errors;
        gw_usage_units    1;
    }
--- request
POST /t.txt
--- error_code: 502
--- response_body
error
--- error_log
Connection refused
--- events
api=orders subject=/t.txt tier=/t.txt method=POST status=502 units=5 upstream_ms~^\d+$



=== TEST 15: error_page from a metered location to one that is not, and back
--- config
    location = /none.txt {
        gw_usage    on;
        error_page  404 /err.html;
    }
    location = /err.html {
        gw_usage    off;
    }
    location = /none2.txt {
        gw_usage    off;
        error_page  404 /dir/index.html;
    }
    location /dir/ {
        gw_usage    on;
    }
--- request eval
["GET /none.txt", "GET /none2.txt"]
--- error_code eval
[404, 404]
--- response_body eval
["error\n", "index\n"]
--- error_log
No such file
--- events
status=404 units=1



=== TEST 16: internal redirects count once, and admit
--- config
    gw_usage  on;
    location /dir/ {
        gw_usage_api  dir;
        index         index.html;
    }
    location /try/ {
        gw_usage_api  try;
        try_files     /none /t.txt;
    }
    location /fallback/ {
        gw_usage_api  fallback;
        try_files     /none @proxy;
    }
    location /last/ {
        gw_usage_api  last;
        try_files     /none /err.html;
    }
    location = /err.html {
        gw_usage_api  err;
    }
    location @proxy {
        gw_usage_api  proxy;
        rewrite       ^ /plain break;
        proxy_pass    http://127.0.0.1:$TEST_NGINX_SERVER_PORT;
    }
    location = /plain {
        gw_usage      off;
        empty_gif;
    }
--- request eval
["GET /dir/", "GET /try/", "GET /fallback/", "GET /last/"]
--- response_body eval
["index\n", "hello\n", qr/^GIF/, "error\n"]
--- events
api=dir status=200 units=1
api=try status=200 units=1
api=fallback status=200 units=1 upstream_ms~^\d+$
api=last status=200 units=1



=== TEST 17: X-Accel-Redirect counts once
--- config
    location = /accel {
        gw_usage      on;
        gw_usage_api  accel;
        proxy_pass    http://127.0.0.1:$TEST_NGINX_SERVER_PORT/source;
    }
    location = /source {
        empty_gif;
        add_header    X-Accel-Redirect /t.txt;
    }
    location = /t.txt {
        gw_usage      on;
        gw_usage_api  file;
    }
--- request
GET /accel
--- response_body
hello
--- events
api=accel status=200 units=1



=== TEST 18: subrequests do not count
--- config
    gw_usage  on;
    location = /t.txt {
        gw_usage_api  main;
        auth_request  /auth;
        mirror        /mirror;
        add_after_body  /dir/index.html;
        addition_types  *;
        log_subrequest  on;
    }
    location = /auth {
        gw_usage_api   auth;
        proxy_pass     http://127.0.0.1:$TEST_NGINX_SERVER_PORT/plain;
    }
    location = /mirror {
        gw_usage_api   mirror;
        proxy_pass     http://127.0.0.1:$TEST_NGINX_SERVER_PORT/plain;
    }
    location = /plain {
        gw_usage       off;
        empty_gif;
    }
    location /dir/ {
        gw_usage_api   sub;
        log_subrequest on;
    }
--- request
GET /t.txt
--- response_body
hello
index
--- events
api=main units=1



=== TEST 19: an answer of the rewrite phase has no event
--- config
    location = /return {
        gw_usage  on;
        return    200 "returned\n";
    }
--- request
GET /return
--- response_body
returned
--- events



=== TEST 20: an error before the first look has none, its page neither
--- config
    gw_usage    on;
    error_page  400 405 418 /err.html;
    location = /return {
        return  418;
    }
--- request eval
["GET /return", "GET /%", "GET /%00"]
--- error_code eval
[418, 400, 400]
--- response_body eval
["error\n", "error\n", "error\n"]
--- no_error_log
[alert]
--- events



=== TEST 21: return and error_page as a way to a location
--- config
    location = /go {
        error_page  418 = @there;
        return      418;
    }
    location @there {
        gw_usage      on;
        gw_usage_api  there;
        try_files     /none /t.txt;
    }
--- request
POST /go
--- error_code: 405
--- events
api=there method=POST status=405 units=1



=== TEST 22: rewrite to another location
--- config
    rewrite  ^/old$ /t.txt last;
    location = /t.txt {
        gw_usage      on;
        gw_usage_api  new;
    }
--- request
GET /old
--- response_body
hello
--- events
api=new status=200 units=1



=== TEST 23: units from the upstream's answer
--- config
    location = /t.txt {
        gw_usage        on;
        gw_usage_units  $upstream_http_x_units;
        proxy_pass      http://127.0.0.1:$TEST_NGINX_SERVER_PORT/source;
    }
    location = /source {
        empty_gif;
        add_header      X-Units 12;
    }
--- request
GET /t.txt
--- response_body_like: ^GIF
--- events
units=12 upstream_ms~^\d+$



=== TEST 24: units that are no number count as one, with one line
--- config
    gw_usage        on;
    gw_usage_units  $arg_u;
--- request eval
["GET /t.txt?u=abc", "GET /t.txt?u=-5", "GET /t.txt?u=1.5", "GET /t.txt?u=",
 "GET /t.txt?u=99999999999999999999", "GET /t.txt?u=0"]
--- response_body eval
["hello\n", "hello\n", "hello\n", "hello\n", "hello\n", "hello\n"]
--- no_error_log
[alert]
--- log_lines
1* gw usage: units are not a non-negative integer, counted as 1, 0 more
1* gw usage: units
--- events
units=1
units=1
units=1
units=1
units=1
units=0



=== TEST 25: bytes that are not UTF-8
--- config
    gw_usage          on;
    gw_usage_subject  $http_x_subject;
    gw_usage_api      $http_x_api;
--- more_headers eval
"X-Subject: a\xff\xe4\xb8\xad\"\\\nX-Api: \xc3"
--- request
GET /t.txt
--- response_body
hello
--- events eval
"subject=a\xef\xbf\xbd\xe4\xb8\xad\"\\ api=\xef\xbf\xbd"



=== TEST 26: a subject that is too long is left out, not cut
--- config
    gw_usage          on;
    gw_usage_subject  $http_x_subject;
--- more_headers eval
"X-Subject: " . 'a' x 513
--- request
GET /t.txt
--- response_body
hello
--- error_log
gw usage: subject of 513 bytes left out
--- log_lines
0 gw usage.*aaaaaaaa
--- events
subject=- units=1



=== TEST 27: the longest subject
--- config
    gw_usage          on;
    gw_usage_subject  $http_x_subject;
--- more_headers eval
"X-Subject: " . 'a' x 512
--- request
GET /t.txt
--- response_body
hello
--- events
subject~^a{512}$



=== TEST 28: the id goes to the upstream, however early it was asked for
--- http_config
    server {
        listen  127.0.0.1:$TEST_NGINX_FREE_PORT;
        location / {
            add_header  X-Seen $http_x_usage_id;
            empty_gif;
        }
    }
--- config
    location = /t.txt {
        gw_usage          on;
        set               $early "$gw_usage_id";
        proxy_set_header  X-Usage-Id $early$gw_usage_id;
        proxy_pass        http://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- request
GET /t.txt
--- response_body_like: ^GIF
--- raw_response_headers_like: \r\nX-Seen: [0-9a-f]{16}-1\r\n
--- events
id~-1$



=== TEST 29: no id without an event
--- config
    location = /t.txt {
        add_header  X-Id "id=$gw_usage_id";
    }
--- request
GET /t.txt
--- response_headers
X-Id: id=
--- events



=== TEST 30: the access log knows the id, also of rejected requests
--- http_config
    log_format  ids  "$status $gw_usage_id.";
--- config
    location = /t.txt {
        gw_usage    on;
        access_log  logs/access.log ids;
        deny        all;
    }
--- request
GET /t.txt
--- error_code: 403
--- error_log
access forbidden by rule
--- access_log eval
qr/^403 [0-9a-f]{16}-1\./
--- events
id~-1$ units=0



=== TEST 31: the request id is that of other uses of it
--- config
    gw_usage          on;
    gw_usage_subject  $request_id;
--- request
GET /t.txt
--- response_body
hello
--- events
request_id~^\w{32}$ request_id==subject



=== TEST 32: a client that goes away
--- config
    location = /t.txt {
        gw_usage    on;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_FREE_PORT;
    }
--- tcp_listen: $TEST_NGINX_FREE_PORT
--- tcp_no_close
--- tcp_reply_delay: 5s
--- tcp_reply: x
--- request
GET /t.txt
--- timeout: 0.2
--- abort
--- ignore_response
--- no_error_log
[alert]
--- wait_log: client prematurely closed connection
--- events
status=499 units=1 upstream_ms~^\d+$



=== TEST 33: a request body counts as bytes in
--- config
    location = /t.txt {
        gw_usage    on;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_SERVER_PORT/plain;
    }
    location = /plain {
        client_max_body_size  1m;
        error_page  405 =200 /err.html;
    }
--- request eval
"PUT /t.txt\n" . 'b' x 5000
--- response_body
error
--- events
method=PUT status=200 bytes_in~^5\d\d\d$



=== TEST 34: what another precontent handler refuses was not admitted
--- config
    location /x/ {
        gw_usage   on;
        try_files  /none =404;
    }
--- request
GET /x/t.txt
--- error_code: 404
--- events
status=404 units=0



=== TEST 35: a subrequest before an internal redirect
--- config
    location = /none.txt {
        gw_usage      on;
        gw_usage_api  main;
        auth_request  /auth;
        error_page    404 /err.html;
    }
    location = /auth {
        gw_usage      on;
        gw_usage_api  auth;
        log_subrequest  on;
        proxy_pass    http://127.0.0.1:$TEST_NGINX_SERVER_PORT/plain;
    }
    location = /plain {
        empty_gif;
    }
--- request
GET /none.txt
--- error_code: 404
--- response_body
error
--- error_log
No such file
--- events
api=main status=404 units=1
