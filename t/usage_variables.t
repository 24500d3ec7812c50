# Copyright (C) The nginx gateway modules authors

# The usage module alone: subject, tier, limits come from variables of
# whatever defines them, or are absent.

use strict;
use warnings;

BEGIN {
    $ENV{TEST_NGINX_LOAD_MODULES} = join ' ',
        grep { /_usage_/ } split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
}

use Test::Nginx::Socket 'no_plan';
use GwUsage;


add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('user_files', ">>> t.txt\nhello\n");
    $block->set_value('response_body', "hello\n")
        if !defined $block->response_body;
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: nobody defines the variables
--- config
    gw_usage  on;
--- request
GET /t.txt
--- events
subject=- tier=- limited=false degraded=false units=1



=== TEST 2: the variables are read where nothing else is configured
--- http_config
    map  $arg_s  $gw_subject           { default $arg_s; }
    map  $arg_t  $gw_tier              { default $arg_t; }
    map  $arg_l  $gw_ratelimit_status  { default $arg_l; }
    map  $arg_d  $gw_auth_degraded     { default $arg_d; }
--- config
    gw_usage  on;
--- request eval
["GET /t.txt?s=alice&t=gold&l=limited&d=1",
 "GET /t.txt?s=bob&t=free&l=passed&d=0",
 "GET /t.txt?l=limitedx&d=11",
 "GET /t.txt"]
--- response_body eval
["hello\n", "hello\n", "hello\n", "hello\n"]
--- events
subject=alice tier=gold limited=true degraded=true
subject=bob tier=free limited=false degraded=false
subject=- tier=- limited=false degraded=false
subject=- tier=- limited=false degraded=false



=== TEST 3: directives replace the variables
--- http_config
    map  $arg_s  $gw_subject  { default $arg_s; }
    map  $arg_t  $gw_tier     { default $arg_t; }
--- config
    gw_usage          on;
    gw_usage_subject  partner;
    gw_usage_tier     "";
--- request
GET /t.txt?s=alice&t=gold
--- events
subject=partner tier=-



=== TEST 4: subject and tier are those of the admission
--- http_config
    map  $uri  $gw_subject  { volatile; default $uri; }
    map  $uri  $gw_tier     { volatile; default $uri; }
--- config
    gw_usage      on;
    gw_usage_api  $uri;
    location = /none.txt {
        error_page  404 =200 /t.txt;
    }
--- request
GET /none.txt
--- error_log
No such file
--- events
subject=/none.txt tier=/none.txt api=/none.txt status=200
