# Copyright (C) The nginx gateway modules authors

# Limits that are decided before access is checked, beside those that are
# decided behind it.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


show('X-Status' => '$gw_ratelimit_status',
     'X-Limits' => '$gw_ratelimit_limits');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('response_body_filters', sub {
        my ($policies) = $_[0] =~ /"violated-policies":\[(.*)\]\}\n\z/;

        return defined $policies ? "problem $policies\n" : shift;
    });

    $block->set_value('user_files', ">>> t.txt\nhello\n>>> other.txt\nother\n"
                      . ">>> page.txt\npage\n>>> sure.txt\nsure\n"
                      . ">>> dir/index.html\nindex\n>>> users\nme:{PLAIN}pw\n"
                      . ">>> include.txt\n"
                      . "included: <!--# include virtual=\"/sure.txt\" -->");

    # of nginx, about those who have no access

    $block->set_value('no_error_log', "[alert]\n[crit]");
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: who is denied pays, until it is refused; the other limit does not
--- config
    location = /t.txt {
        gw_ratelimit  guess key=$arg_k rate=1r/d burst=2 preauth;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2;
        deny          all;
    }
--- request eval
[("GET /t.txt?k=denied") x 4]
--- error_code eval
[403, 403, 429, 429]
--- response_headers_like eval
['X-Status: passed
X-Limits: guess=passed
RateLimit: "guess";r=1;t=86400',
'RateLimit: "guess";r=0;t=\d+',
'X-Status: limited
X-Limits: guess=limited
Retry-After: 86\d+
Content-Type: application/problem\+json',
'X-Limits: guess=(remembered|limited)']
--- redis
KEYS gw:{denied}:* => gw:\{denied\}:guess



=== TEST 2: wrong passwords, and the right one
--- config
    location = /t.txt {
        gw_ratelimit          guess key=$arg_k rate=1r/d burst=3 preauth;
        gw_ratelimit          calls key=$remote_user rate=1r/d burst=9
                              empty=deny;
        auth_basic            "closed";
        auth_basic_user_file  $TEST_NGINX_SERVER_ROOT/html/users;
    }
--- request eval
[("GET /t.txt?k=password") x 4]
--- more_headers eval
["Authorization: Basic bWU6bm8=", "", "Authorization: Basic bWU6cHc=",
 "Authorization: Basic bWU6cHc="]
--- error_code eval
[401, 401, 200, 429]
--- response_headers_like eval
['X-Limits: guess=passed
WWW-Authenticate: .*',
'X-Limits: guess=passed',
'X-Limits: guess=passed calls=passed
RateLimit-Policy: "guess";q=3;w=259200, "calls";q=9;w=777600
RateLimit: "guess";r=0;t=\d+, "calls";r=8;t=86400',
'X-Limits: guess=limited
WWW-Authenticate:']
--- redis
KEYS gw:{me}:* => gw:\{me\}:calls
KEYS gw:{password}:* => gw:\{password\}:guess



=== TEST 3: an auth_request that says no; it is not asked about the refused
--- http_config
    log_format  preauth '[$uri $status]';
--- config
    access_log      $TEST_NGINX_SERVER_ROOT/logs/access.log preauth;
    log_subrequest  on;

    location = /t.txt {
        gw_ratelimit  guess key=$arg_k rate=1r/d burst=2 preauth;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2;
        auth_request  /no;
    }

    location = /no {
        gw_ratelimit  sub key=asked rate=1r/d burst=2 preauth;
        return        401;
    }
--- request eval
[("GET /t.txt?k=asked") x 4]
--- error_code eval
[401, 401, 429, 429]
--- access_lines
2 \[/no 401\]
2 \[/t.txt 429\]
--- redis
KEYS gw:*asked* => gw:\{asked\}:guess



=== TEST 4: both, each once; a later denial gives nothing back
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
        gw_ratelimit  early key=$arg_k rate=1r/d burst=3 preauth;
    }
--- request eval
[("GET /t.txt?k=both") x 4]
--- error_code eval
[200, 429, 429, 429]
--- response_body eval
["hello\n", ("problem \"calls\"\n") x 2, "problem \"early\"\n"]
--- response_headers_like eval
['X-Limits: early=passed calls=passed
RateLimit: "early";r=2;t=86400, "calls";r=0;t=86400',
'X-Limits: early=passed calls=limited
RateLimit: "early";r=1;t=\d+, "calls";r=0;t=\d+',
'X-Limits: early=passed calls=(remembered|limited)
RateLimit: "early";r=0;t=\d+, "calls";r=0;t=\d+',
'X-Limits: early=limited
RateLimit: "early";r=0;t=\d+']



=== TEST 5: several, all or none
--- config
    location = /t.txt {
        gw_ratelimit  a key=$arg_a rate=1r/d burst=9 preauth;
        gw_ratelimit  b key=$arg_b rate=1r/d burst=1 preauth;
        deny          all;
    }
--- request eval
["GET /t.txt?a=several&b=one", "GET /t.txt?a=several&b=one",
 "GET /t.txt?a=several&b=two"]
--- error_code eval
[403, 429, 403]
--- response_headers_like eval
['X-Limits: a=passed b=passed', 'X-Limits: b=limited',
 'RateLimit: "a";r=7;t=\d+, "b";r=0;t=86400']



=== TEST 6: by the address behind a proxy
--- config
    set_real_ip_from  127.0.0.1;

    location = /t.txt {
        real_ip_header  X-Client;
        gw_ratelimit    address key=$remote_addr rate=1r/d burst=1 preauth;
    }

    location = /other.txt {
        real_ip_header  X-Client;
        gw_ratelimit    prefix key=$gw_address rate=1r/d burst=1 preauth;
    }
--- request eval
["GET /t.txt", "GET /t.txt", "GET /t.txt", "GET /other.txt"]
--- more_headers eval
["X-Client: 192.0.2.1", "X-Client: 192.0.2.1", "X-Client: 192.0.2.2",
 "X-Client: 2001:db8:1:2:3:4:5:6"]
--- error_code eval
[200, 429, 200, 200]
--- redis
KEYS gw:*:address => gw:\{192.0.2.1\}:address gw:\{192.0.2.2\}:address
KEYS gw:*:prefix => gw:\{(2001:db8:1:2::\|64|2001:db8:1:2::|#[0-9a-f]+)\}:prefix



=== TEST 7: the same with the header of the server
--- config
    set_real_ip_from  127.0.0.1;
    real_ip_header    X-Real-IP;

    location = /t.txt {
        gw_ratelimit  real key=$remote_addr rate=1r/d burst=1 preauth;
    }
--- request eval
["GET /t.txt", "GET /t.txt", "GET /t.txt"]
--- more_headers eval
["X-Real-IP: 192.0.2.1", "X-Real-IP: 192.0.2.2", "X-Real-IP: 192.0.2.1"]
--- error_code eval
[200, 200, 429]



=== TEST 8: "satisfy any" does not let a request past them
--- config
    location = /t.txt {
        satisfy               any;
        allow                 127.0.0.1;
        deny                  all;
        auth_basic            "closed";
        auth_basic_user_file  $TEST_NGINX_SERVER_ROOT/html/users;
        gw_ratelimit          early key=$arg_k rate=1r/d burst=1 preauth;
    }

    location = /other.txt {
        satisfy               any;
        deny                  all;
        auth_basic            "closed";
        auth_basic_user_file  $TEST_NGINX_SERVER_ROOT/html/users;
        gw_ratelimit          early key=$arg_k rate=1r/d burst=1 preauth;
    }
--- request eval
["GET /t.txt?k=any", "GET /t.txt?k=any", "GET /other.txt?k=none",
 "GET /other.txt?k=none"]
--- error_code eval
[200, 429, 401, 429]



=== TEST 9: internal redirects: a limit of both locations is charged once
--- config
    gw_ratelimit  early key=$arg_k rate=1r/d burst=5 preauth;
    gw_ratelimit  calls key=$arg_k rate=1r/d burst=5;

    location = /t.txt {
        try_files  /none /other.txt;
    }
--- request eval
["GET /t.txt?k=once", "GET /dir/?k=index"]
--- response_body eval
["other\n", "index\n"]
--- response_headers eval
[('RateLimit: "early";r=4;t=86400, "calls";r=4;t=86400
X-Limits: early=passed calls=passed') x 2]



=== TEST 10: a limit of the second location alone is charged there
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=5;
        try_files     /none /other.txt;
    }

    location = /other.txt {
        gw_ratelimit  early key=second rate=1r/d burst=1 preauth;
    }
--- request eval
["GET /t.txt?k=second", "GET /t.txt?k=second"]
--- error_code eval
[200, 429]
--- response_headers_like eval
['X-Limits: calls=passed early=passed
RateLimit: "calls";r=4;t=86400, "early";r=0;t=86400',
'X-Limits: calls=passed early=limited
RateLimit: "calls";r=3;t=\d+, "early";r=0;t=\d+']



=== TEST 11: a name that is preauth in one location, and not in the other
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=5;
        try_files     /none /other.txt;
    }

    location = /other.txt {
        gw_ratelimit  calls key=not_me rate=1r/d burst=5 preauth;
    }
--- request
GET /t.txt?k=either
--- response_headers
RateLimit: "calls";r=4;t=86400
X-Limits: calls=passed
--- redis
KEYS gw:{either}:* => gw:\{either\}:calls
EXISTS gw:{not_me}:calls => 0



=== TEST 12: error pages: of those without access, and of the refused
--- config
    gw_ratelimit  early key=$http_x_key rate=1r/d burst=2 preauth;
    error_page    403 429 /page.txt;

    location = /t.txt {
        deny  all;
    }
--- request eval
["GET /t.txt", "GET /t.txt", "GET /t.txt"]
--- more_headers
X-Key: page
--- error_code eval
[403, 403, 429]
--- response_body eval
[("page\n") x 3]
--- response_headers_like eval
['RateLimit: "early";r=1;t=\d+
Retry-After:', 'RateLimit: "early";r=0;t=\d+',
'RateLimit: "early";r=0;t=\d+
X-Status: limited
Retry-After: 86\d+
Content-Type: text/plain']



=== TEST 13: the page has a limit of its own, which refuses
--- config
    location = /t.txt {
        gw_ratelimit  early key=$arg_k rate=1r/d burst=1 preauth;
        error_page    429 /page.txt;
    }

    location = /page.txt {
        gw_ratelimit  page key=page rate=1r/h burst=1 preauth;
    }
--- request eval
["GET /t.txt?k=own", "GET /t.txt?k=own", "GET /t.txt?k=own"]
--- error_code eval
[200, 429, 429]
--- response_body eval
["hello\n", "page\n", "problem \"page\"\n"]
--- response_headers_like eval
['', 'Retry-After: 86\d+', 'Retry-After: 3[56]\d\d
X-Limits: early=(remembered|limited) page=limited']



=== TEST 14: subrequests are not charged
--- config
    ssi        on;
    ssi_types  *;

    location = /include.txt {
        gw_ratelimit  early key=$arg_k rate=1r/d burst=5 preauth;
        auth_request  /sure.txt;
        mirror        /sure.txt;
    }

    location = /sure.txt {
        gw_ratelimit  sure key=sub rate=1r/d burst=5 preauth;
    }
--- request
GET /include.txt?k=sub
--- response_body eval
"included: sure\n"
--- response_headers
RateLimit: "early";r=4;t=86400
--- redis
KEYS gw:{sub}:* => gw:\{sub\}:early



=== TEST 15: without Redis: refused before access is checked, or let through
--- http_config
    gw_ratelimit_redis  redis://127.0.0.1:1;
--- config
    location = /t.txt {
        gw_ratelimit  early key=down rate=1r/d burst=5 preauth error=deny;
        deny          all;
    }

    location = /other.txt {
        gw_ratelimit  early key=down rate=1r/d burst=5 preauth;
        deny          all;
    }
--- request eval
["GET /t.txt", "GET /other.txt"]
--- error_code eval
[503, 403]
--- response_headers eval
["X-Status: unavailable", "X-Status: unchecked"]



=== TEST 16: of a tier, with a cost
--- http_config
    gw_ratelimit_tier  eu rate=1r/d burst=9;
--- config
    location = /t.txt {
        gw_ratelimit  early key=$arg_k tier=$arg_t cost=$arg_c preauth;
        deny          all;
    }
--- request eval
["GET /t.txt?k=tier&t=eu&c=5", "GET /t.txt?k=tier&t=eu&c=5",
 "GET /t.txt?k=tier&t=eu&c=x", "GET /t.txt?k=tier&t=us"]
--- error_code eval
[403, 429, 400, 403]
--- response_headers eval
["X-Status: passed", "X-Status: limited", "X-Status: bad_cost",
 "X-Status: unknown_tier"]



=== TEST 17: what else is done in that phase comes first
--- http_config
    limit_req_zone  $arg_k zone=req:1m rate=1r/m;
--- config
    location = /t.txt {
        limit_req     zone=req;
        gw_ratelimit  early key=$arg_k rate=1r/d burst=5 preauth;
    }
--- request eval
["GET /t.txt?k=req", "GET /t.txt?k=req"]
--- error_code eval
[200, 503]
--- response_headers_like eval
['RateLimit: "early";r=4;t=86400', 'RateLimit:']
