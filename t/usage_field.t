# Copyright (C) The nginx gateway modules authors

# Members of events that a configuration adds.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwUsage;


add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('user_files', ">>> t.txt\nhello\n>>> a/t.txt\nhello\n");

    if (!defined $block->response_body && !defined $block->error_code) {
        my $requests = $block->request;

        $block->set_value('response_body',
                          ref $requests ? [ map { "hello\n" } @$requests ]
                                        : "hello\n");
    }
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: constants and variables
--- config
    gw_usage        on;
    gw_usage_field  region eu-1;
    gw_usage_field  page   $arg_p-$arg_q;
--- request
GET /t.txt?p=1&q=2
--- events
region=eu-1 page=1-2 status=200 units=1



=== TEST 2: they follow the others, in their order
--- config
    gw_usage        on;
    gw_usage_field  zeta  1;
    gw_usage_field  alpha 2;
--- request
GET /t.txt
--- events
zeta=1 alpha=2
--- message: "request_id":"[0-9a-f]{32}","zeta":"1","alpha":"2"\}\}$



=== TEST 3: an empty value is null
--- config
    gw_usage        on;
    gw_usage_field  page $arg_p;
--- request
GET /t.txt
--- events
page=-
--- message: "page":null\}\}$



=== TEST 4: a list is inherited, and replaced as a whole
--- http_config
    gw_usage        on;
    gw_usage_field  region eu-1;
    gw_usage_field  stage  test;
--- config
    location = /t.txt {
    }
    location /a/ {
        gw_usage_field  page $arg_p;
    }
--- request eval
["GET /t.txt", "GET /a/t.txt?p=7"]
--- events
region=eu-1 stage=test page=-
region=- stage=- page=7



=== TEST 5: values of the upstream's answer
--- config
    location = /t.txt {
        gw_usage        on;
        gw_usage_field  model  $upstream_http_x_model;
        gw_usage_field  code   $status;
        gw_usage_field  bytes  $body_bytes_sent;
        proxy_pass      http://127.0.0.1:$TEST_NGINX_SERVER_PORT/a/t.txt;
    }
    location /a/ {
        add_header      X-Model large;
    }
--- request
GET /t.txt
--- events
model=large code=200 bytes=6



=== TEST 6: those of the first location, also on the page of an error
--- config
    location = /t.txt {
        gw_usage        on;
        gw_usage_field  where first;
        gw_usage_field  uri   $uri;
        deny            all;
        error_page      403 =200 /a/t.txt;
    }
    location /a/ {
        gw_usage        on;
        gw_usage_field  where second;
    }
--- request
GET /t.txt
--- error_code: 200
--- error_log
access forbidden by rule
--- events
where=first uri=/a/t.txt units=0



=== TEST 7: text of clients stays text
--- config
    gw_usage        on;
    gw_usage_field  agent $http_x_agent;
--- more_headers eval
"X-Agent: \"}},{\xff\\"
--- request
GET /t.txt
--- events eval
"agent=\"}},{\xef\xbf\xbd\\"



=== TEST 8: the longest value, and one that is longer
--- config
    gw_usage        on;
    gw_usage_field  agent $http_x_agent;
--- more_headers eval
["X-Agent: " . 'a' x 1024, "X-Agent: " . 'a' x 1025]
--- request eval
["GET /t.txt", "GET /t.txt"]
--- events
agent~^a{1024}$
agent=-



=== TEST 9: all events fit: later values are left out
--- config eval
"gw_usage on;\ngw_usage_subject \$http_x_agent;\n"
. CORE::join '', map { "gw_usage_field f$_ \$http_x_agent;\n" } 1 .. 32
--- more_headers eval
"X-Agent: " . 'a' x 500
--- request
GET /t.txt
--- events
subject~^a{500}$ f1~^a{500}$ f2~^a{500}$ f32=- units=1 request_id~.
--- message: "f32":null\}\}$



=== TEST 10: 32 fields
--- config eval
"gw_usage on;\n" . CORE::join '', map { "gw_usage_field f$_ $_;\n" } 1 .. 32
--- request
GET /t.txt
--- events
f1=1 f2=2 f31=31 f32=32
