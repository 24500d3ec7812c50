# Copyright (C) The nginx gateway modules authors

# The key of a message, which chooses its partition.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwUsage;


add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('user_files', ">>> t.txt\nhello\n>>> a/t.txt\nhello\n");

    if (!defined $block->response_body) {
        my $requests = $block->request;

        $block->set_value('response_body',
                          ref $requests ? [ map { "hello\n" } @$requests ]
                                        : "hello\n");
    }
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: the generation by default
--- config
    gw_usage      on;
    gw_usage_api  key1;
--- request
GET /t.txt
--- events
api=key1
--- message: ^([0-9a-f]{16}) \S.* \{"specversion":"1\.0","id":"\1-1",.*"api":"key1"



=== TEST 2: a value with variables
--- config
    gw_usage          on;
    gw_usage_api      key2;
    gw_usage_subject  alice;
    gw_usage_key      tenant-$arg_t;
--- request
GET /t.txt?t=7
--- events
api=key2 subject=alice
--- message: ^tenant-7 .*"api":"key2"



=== TEST 3: an empty value stands for the generation
--- config
    gw_usage      on;
    gw_usage_api  key3;
    gw_usage_key  $arg_none;
--- request
GET /t.txt
--- events
api=key3
--- message: ^([0-9a-f]{16}) .*"id":"\1-1",.*"api":"key3"



=== TEST 4: a location may have its own
--- config
    gw_usage      on;
    gw_usage_api  key4-$arg_n;
    gw_usage_key  outer;
    location /a/ {
        gw_usage_key  inner;
    }
--- request eval
["GET /t.txt?n=1", "GET /a/t.txt?n=2"]
--- events
api=key4-1
api=key4-2
--- message: ^inner .*"api":"key4-2"



=== TEST 5: fixed when the request is admitted, as the subject
--- http_config
    map  $uri  $current { volatile; default $uri; }
--- config
    gw_usage      on;
    gw_usage_api  key5;
    gw_usage_key  $current;
    location = /none.txt {
        error_page  404 =200 /t.txt;
    }
--- request
GET /none.txt
--- error_log
No such file
--- events
api=key5
--- message: ^/none.txt .*"api":"key5"



=== TEST 6: one that is too long: the generation, and a line in the log
--- config
    gw_usage      on;
    gw_usage_api  key6;
    gw_usage_key  $http_x_key;
--- more_headers eval
"X-Key: " . 'k' x 513
--- request
GET /t.txt
--- error_log
gw usage: message key of 513 bytes left out
--- log_lines
0 gw usage.*kkkkkkkk
--- events
api=key6
--- message: ^([0-9a-f]{16}) .*"id":"\1-1",.*"api":"key6"



=== TEST 7: the longest
--- config
    gw_usage      on;
    gw_usage_api  key7;
    gw_usage_key  $http_x_key;
--- more_headers eval
"X-Key: " . 'k' x 512
--- request
GET /t.txt
--- events
api=key7
--- message: ^k{512} .*"api":"key7"



=== TEST 8: beside room that is kept for the event
--- http_config eval
GwJournal::directive('size=64m full=reject')
--- config
    gw_usage      on;
    gw_usage_api  key8;
    gw_usage_key  tenant-$arg_t;
--- request
GET /t.txt?t=8
--- events
api=key8
--- message: ^tenant-8 .*"api":"key8"
