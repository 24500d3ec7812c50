# Copyright (C) The nginx gateway modules authors

# "gw_usage on if=": requests that are exempt have no event, and no sequence.

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

=== TEST 1: empty and "0" exempt, all else does not
--- config
    gw_usage      on if=$arg_m;
    gw_usage_api  m$arg_m;
--- request eval
["GET /t.txt?m=1", "GET /t.txt?m=0", "GET /t.txt", "GET /t.txt?m=",
 "GET /t.txt?m=00", "GET /t.txt?m=no"]
--- events
id~-1$ api=m1
id~-2$ api=m00
id~-3$ api=mno



=== TEST 2: a condition of several variables
--- config
    gw_usage      on if=$arg_a$arg_b;
    gw_usage_api  $arg_n;
--- request eval
["GET /t.txt?n=1&a=1", "GET /t.txt?n=2&b=1", "GET /t.txt?n=3",
 "GET /t.txt?n=4&a=0", "GET /t.txt?n=5&a=0&b=0"]
--- events
api=1
api=2
api=5



=== TEST 3: it is inherited with "on", and replaced with it
--- http_config
    map  $arg_n  $wanted { default 1; 2 0; 4 0; }
    gw_usage  on if=$wanted;
--- config
    gw_usage_api  $arg_n;
    location = /t.txt {
        gw_usage_tier  free;
    }
    location /a/ {
        gw_usage  on;
    }
--- request eval
["GET /t.txt?n=1", "GET /t.txt?n=2", "GET /a/t.txt?n=3", "GET /a/t.txt?n=4"]
--- events
api=1
api=3
api=4



=== TEST 4: "off" takes no notice of it
--- config
    gw_usage  on if=$arg_m;
    location = /t.txt {
        gw_usage  off;
    }
--- request
GET /t.txt?m=1
--- events



=== TEST 5: looked at when the request is admitted, then never again
--- http_config
    map  $uri  $first { volatile; default 0; /none.txt 1; }
    map  $uri  $second { volatile; default 1; /none.txt 0; }
--- config
    gw_usage_api  $uri;
    location = /none.txt {
        gw_usage    on if=$first;
        error_page  404 =200 /t.txt;
    }
    location = /none2.txt {
        rewrite     ^ /none.txt break;
        gw_usage    on if=$second;
        error_page  404 =200 /t.txt;
    }
--- request eval
["GET /none.txt", "GET /none2.txt"]
--- error_code eval
[200, 200]
--- error_log
No such file
--- events
api=/none.txt status=200 units=1



=== TEST 6: a request that is rejected is asked at its end
--- http_config
    map  $status  $denied { volatile; default 0; 403 1; }
--- config
    location = /t.txt {
        gw_usage      on if=$denied;
        gw_usage_api  denied;
        deny          all;
    }
    location /a/ {
        gw_usage      on if=$arg_m;
        deny          all;
    }
--- request eval
["GET /t.txt", "GET /a/t.txt?m=0"]
--- error_code eval
[403, 403]
--- error_log
access forbidden by rule
--- events
api=denied status=403 units=0



=== TEST 7: the id of a request that is exempt is empty
--- config
    gw_usage    on if=$arg_m;
    add_header  X-Id "id=$gw_usage_id";
--- request eval
["GET /t.txt", "GET /t.txt?m=1"]
--- response_headers_like eval
["X-Id: id=", "X-Id: id=[0-9a-f]{16}-1"]
--- events
id~-1$
