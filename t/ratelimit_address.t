# Copyright (C) The nginx gateway modules authors

# $gw_address: whom a limit by address is for.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


# "addresses" are "ADDRESS => TEXT", one a line: a client, and what its
# $gw_address is

add_block_preprocessor(sub {
    my $block = shift;

    my @pairs = map { [ split / => / ] } split /\n/, $block->addresses // '';

    return if !@pairs;

    $block->set_value('request', [ map { 'GET /address' } @pairs ]);
    $block->set_value('more_headers', [ map { "X-Real-IP: $_->[0]" } @pairs ]);
    $block->set_value('response_body', [ map { "[$_->[1]]\n" } @pairs ]);
});

run_tests();

__DATA__

=== TEST 1: an IPv4 address whole, an IPv6 address by its first 64 bits
--- config
    set_real_ip_from  127.0.0.1;

    location = /address {
        return  200 "[$gw_address]\n";
    }
--- addresses
192.0.2.1 => 192.0.2.1
0.0.0.0 => 0.0.0.0
2001:db8:1:2:3:4:5:6 => 2001:db8:1:2::
2001:db8:1:2:: => 2001:db8:1:2::
2001:db8:1:2:ffff:ffff:ffff:ffff => 2001:db8:1:2::
2001:db8:1:3::1 => 2001:db8:1:3::
2001:db8::1 => 2001:db8::
fe80::1 => fe80::
::1 => ::
:: => ::



=== TEST 2: an IPv4 address in IPv6 form is an IPv4 address
--- config
    set_real_ip_from  127.0.0.1;

    location = /address {
        gw_address_prefix  1;
        return  200 "[$gw_address]\n";
    }
--- addresses
::ffff:192.0.2.1 => 192.0.2.1
::ffff:c000:201 => 192.0.2.1
::fffe:c000:201 => ::
64:ff9b::192.0.2.1 => ::



=== TEST 3: all bits
--- config
    set_real_ip_from  127.0.0.1;

    location = /address {
        gw_address_prefix  128;
        return  200 "[$gw_address]\n";
    }
--- addresses
2001:db8:1:2:3:4:5:6 => 2001:db8:1:2:3:4:5:6
2001:DB8:0:0:0:0:0:1 => 2001:db8::1
ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff => ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
192.0.2.1 => 192.0.2.1



=== TEST 4: one bit
--- config
    set_real_ip_from  127.0.0.1;

    location = /address {
        gw_address_prefix  1;
        return  200 "[$gw_address]\n";
    }
--- addresses
ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff => 8000::
7fff:: => ::



=== TEST 5: a prefix inside a byte
--- config
    set_real_ip_from  127.0.0.1;

    location = /address {
        gw_address_prefix  127;
        return  200 "[$gw_address]\n";
    }
--- addresses
2001:db8::ffff => 2001:db8::fffe
2001:db8::fffe => 2001:db8::fffe
2001:db8::1 => 2001:db8::



=== TEST 6: another prefix inside a byte
--- config
    set_real_ip_from  127.0.0.1;

    location = /address {
        gw_address_prefix  57;
        return  200 "[$gw_address]\n";
    }
--- addresses
2001:db8:1:ff7f::1 => 2001:db8:1:ff00::
2001:db8:1:ff80::1 => 2001:db8:1:ff80::
2001:db8:1:ffff::1 => 2001:db8:1:ff80::



=== TEST 7: the prefix is inherited
--- http_config
    gw_address_prefix  48;
--- config
    set_real_ip_from  127.0.0.1;

    location = /address {
        return  200 "[$gw_address]\n";
    }
--- addresses
2001:db8:1:2::1 => 2001:db8:1::



=== TEST 8: the prefix is replaced
--- http_config
    gw_address_prefix  48;
--- config
    set_real_ip_from   127.0.0.1;
    gw_address_prefix  32;

    location /add {
        gw_address_prefix  40;

        location = /address {
            gw_address_prefix  56;
            return  200 "[$gw_address]\n";
        }
    }
--- addresses
2001:db8:1:2ff::1 => 2001:db8:1:200::



=== TEST 9: without realip it is the address of the connection
--- config
    location = /address {
        return  200 "[$gw_address]\n";
    }
--- addresses
192.0.2.1 => 127.0.0.1



=== TEST 10: a unix socket has none, and a limit by address skips it
--- http_config
    server {
        listen  unix:$TEST_NGINX_SERVER_ROOT/address.sock;

        gw_ratelimit  calls key=$gw_address rate=1r/h burst=1;

        location / {
            add_header  X-Address "[$gw_address]";
            add_header  X-Status $gw_ratelimit_status;
        }
    }
--- config
    location = /t.txt {
        proxy_pass  http://unix:$TEST_NGINX_SERVER_ROOT/address.sock;
    }
--- request eval
[ 'GET /t.txt', 'GET /t.txt' ]
--- response_headers eval
[ ("X-Address: []\nX-Status: skipped\n") x 2 ]
--- error_code eval
[ 200, 200 ]



=== TEST 11: the addresses of a prefix share a bucket
--- config
    set_real_ip_from  127.0.0.1;
    gw_ratelimit      address11 key=$gw_address rate=1r/h burst=1;
--- request eval
[ ('GET /t.txt') x 4 ]
--- more_headers eval
[ 'X-Real-IP: 2001:db8:1:2::1', 'X-Real-IP: 2001:db8:1:2::2',
  'X-Real-IP: 2001:db8:1:3::1', 'X-Real-IP: 2001:db8:1:3:ffff::1' ]
--- error_code eval
[ 200, 429, 200, 429 ]



=== TEST 12: the two forms of an IPv4 address share a bucket
--- config
    set_real_ip_from  127.0.0.1;
    gw_ratelimit      address12 key=$gw_address rate=1r/h burst=1;
--- request eval
[ ('GET /t.txt') x 3 ]
--- more_headers eval
[ 'X-Real-IP: 192.0.2.1', 'X-Real-IP: ::ffff:192.0.2.1',
  'X-Real-IP: 192.0.2.2' ]
--- error_code eval
[ 200, 429, 200 ]
