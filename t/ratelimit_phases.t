# Copyright (C) The nginx gateway modules authors

# Which requests are charged, and how often: access, internal redirects, error
# pages and subrequests.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('response_body_filters', sub {
        my ($policies) = $_[0] =~ /"violated-policies":\[(.*)\]\}\n\z/;

        return defined $policies ? "problem $policies" : shift;
    });

    $block->set_value('user_files', ">>> t.txt\nhello\n>>> other.txt\nother\n"
                      . ">>> dir/index.html\nindex\n>>> page.txt\npage\n"
                      . ">>> sub.txt\nsub\n>>> sure.txt\nsure\n"
                      . ">>> include.txt\nincluded: "
                      . "<!--# include virtual=\"/included.txt\" -->\n"
                      . ">>> included.txt\n"
                      . "<!--# echo var=\"gw_ratelimit_status\" --> "
                      . "<!--# echo var=\"gw_ratelimit_remaining\" -->\n");
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: "satisfy any" does not let a request past its limits
--- config
    location = /t.txt {
        satisfy               any;
        allow                 127.0.0.1;
        deny                  all;
        auth_basic            "closed";
        auth_basic_user_file  none;
        gw_ratelimit          calls key=any rate=1r/d burst=1;
    }
--- request eval
["GET /t.txt", "GET /t.txt"]
--- error_code eval
[200, 429]
--- response_body eval
["hello\n", 'problem "calls"']



=== TEST 2: "satisfy any" with an auth_request
--- config
    location = /t.txt {
        satisfy       any;
        deny          all;
        auth_request  /sure.txt;
        gw_ratelimit  calls key=request rate=1r/d burst=1;
    }
--- request eval
["GET /t.txt", "GET /t.txt"]
--- error_code eval
[200, 429]
--- response_body eval
["hello\n", 'problem "calls"']



=== TEST 3: who has no access is not charged
--- config
    location = /t.txt {
        deny          all;
        gw_ratelimit  calls key=denied rate=1r/d burst=1;
    }

    location = /other.txt {
        auth_request  /none;
        gw_ratelimit  calls key=denied rate=1r/d burst=1;
    }

    location = /none {
        return  403;
    }
--- request eval
["GET /t.txt", "GET /other.txt"]
--- error_code eval
[403, 403]
--- no_error_log
[alert]
[crit]
--- redis
EXISTS gw:{denied}:calls => 0



=== TEST 4: try_files: one limit for both locations is charged once
--- config
    gw_ratelimit  calls key=$arg_k rate=1r/d burst=5;

    location = /t.txt {
        try_files  /none /other.txt;
    }

    location = /other.txt { }
--- request
GET /t.txt?k=once
--- response_body
other
--- raw_response_headers_like eval
qr/RateLimit-Policy: "calls";q=5;w=432000\r\nRateLimit: "calls";r=4;t=86400\r\n/



=== TEST 5: try_files to a named location with limits of its own
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=5;
        try_files     /none @named;
    }

    location @named {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=5;
        gw_ratelimit  named key=$arg_k rate=1r/d burst=2;
        root          html;
        rewrite       ^ /other.txt break;
    }
--- request eval
["GET /t.txt?k=named", "GET /t.txt?k=named", "GET /t.txt?k=named"]
--- error_code eval
[200, 200, 429]
--- response_body eval
["other\n", "other\n", 'problem "named"']
--- response_headers_like eval
['RateLimit: "calls";r=4;t=\d+, "named";r=1;t=\d+',
'RateLimit: "calls";r=3;t=\d+, "named";r=0;t=\d+',
'RateLimit: "calls";r=2;t=\d+, "named";r=0;t=\d+
RateLimit-Policy: "calls";q=5;w=432000, "named";q=2;w=172800
Content-Type: application/problem\+json
Retry-After: 86\d\d\d']



=== TEST 6: an index is an internal redirect, too
--- config
    location /dir/ {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=5;
    }
--- request
GET /dir/?k=index
--- response_body
index
--- response_headers
RateLimit: "calls";r=4;t=86400



=== TEST 7: a rewrite to another location: the limits of that one alone
--- config
    location = /t.txt {
        gw_ratelimit  first key=$arg_k rate=1r/d burst=5;
        rewrite       ^ /other.txt last;
    }

    location = /other.txt {
        gw_ratelimit  second key=$arg_k rate=1r/d burst=5;
    }
--- request
GET /t.txt?k=rewrite
--- response_body
other
--- redis
KEYS gw:{rewrite}:* => gw:\{rewrite\}:second



=== TEST 8: X-Accel-Redirect to a location with the same limit and another
--- config
    location = /accel {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=5;
        proxy_pass    http://127.0.0.1:$TEST_NGINX_SERVER_PORT/upstream;
    }

    location = /other.txt {
        internal;
        gw_ratelimit  calls key=$http_x_key rate=1r/d burst=5;
        gw_ratelimit  file key=$http_x_key rate=1r/d burst=2;
    }

    location = /upstream {
        add_header  X-Accel-Redirect /other.txt;
        return      204;
    }
--- request
GET /accel?k=accel
--- more_headers
X-Key: accel
--- response_body
other
--- response_headers
RateLimit: "calls";r=4;t=86400, "file";r=1;t=86400
RateLimit-Policy: "calls";q=5;w=432000, "file";q=2;w=172800



=== TEST 9: an error page of a limited location is not charged again
--- config
    gw_ratelimit  calls key=$arg_k rate=1r/d burst=5;
    error_page    404 /page.txt;

    location = /none { }
--- request
GET /none?k=error
--- error_code: 404
--- response_body
page
--- response_headers
RateLimit: "calls";r=4;t=86400
--- error_log
No such file



=== TEST 10: the error page of a refusal has another limit, which lets it in
--- http_config
    log_format  ratelimit '[$http_x_key $status '
                          '$gw_ratelimit_status]';
--- config
    access_log  $TEST_NGINX_SERVER_ROOT/logs/access.log ratelimit;

    location = /t.txt {
        gw_ratelimit  calls key=$http_x_key rate=1r/d burst=1;
        error_page    429 /page.txt;
    }

    location = /page.txt {
        gw_ratelimit  page key=$http_x_key rate=1r/d burst=1;
    }
--- request eval
["GET /t.txt", "GET /t.txt"]
--- more_headers
X-Key: page
--- error_code eval
[200, 429]
--- response_body eval
["hello\n", "page\n"]
--- response_headers_like eval
['RateLimit: "calls";r=0;t=86400',
'Content-Type: text/plain
RateLimit: "calls";r=0;t=8\d+, "page";r=0;t=86400']
--- access_lines
1 \[page 200 passed\]
1 \[page 429 limited\]



=== TEST 11: it is refused as well: a problem again, its own
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
        error_page    429 @page;
    }

    location @page {
        gw_ratelimit  page key=$arg_k rate=1r/h burst=1;
        rewrite       ^ /page.txt break;
    }
--- request eval
["GET /t.txt?k=both", "GET /t.txt?k=both", "GET /t.txt?k=both"]
--- error_code eval
[200, 429, 429]
--- response_body eval
["hello\n", "page\n", 'problem "page"']
--- raw_response_headers_unlike eval
[qr/Retry-After/, qr/Retry-After: 3/,
 qr/Retry-After:.*Retry-After:|RateLimit:.*RateLimit:|Content-Type: text/]
--- response_headers_like eval
['', 'Retry-After: 86\d\d\d', 'Retry-After: 3[56]\d\d
Content-Type: application/problem\+json']



=== TEST 12: a fallback in place of a refusal
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
        error_page    429 =200 /other.txt;
    }

    location = /other.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }
--- request eval
["GET /t.txt?k=fallback", "GET /t.txt?k=fallback"]
--- response_body eval
["hello\n", "other\n"]
--- response_headers_like eval
['Content-Type: text/plain', 'Content-Type: text/plain']



=== TEST 13: an error page elsewhere
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
        error_page    429 https://status.example.com/;
    }
--- request eval
["GET /t.txt?k=elsewhere", "GET /t.txt?k=elsewhere"]
--- error_code eval
[200, 302]
--- response_headers eval
["Content-Type: text/plain",
"Location: https://status.example.com/
Content-Type: text/html"]



=== TEST 14: the error page of an unknown tier needs a location without limits
--- config
    gw_ratelimit  calls key=$arg_k tier=$arg_t;
    error_page    403 /page.txt;

    location = /page.txt {
        gw_ratelimit  off;
    }
--- request
GET /t.txt?k=unknown
--- error_code: 403
--- response_body
page
--- response_headers
Content-Type: text/plain



=== TEST 15: else it is refused for the same reason
--- config
    gw_ratelimit  calls key=$http_x_key tier=$arg_t;
    error_page    403 /page.txt;
--- request
GET /t.txt
--- more_headers
X-Key: unknown
--- error_code: 403
--- response_body_like eval
qr/"detail":"The caller has no known tier"/
--- response_headers
Content-Type: application/problem+json



=== TEST 16: subrequests are not charged, and see the variables of the request
--- config
    ssi        on;
    ssi_types  *;

    location = /include.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=5;
        auth_request  /sure.txt;
    }

    location = /included.txt {
        gw_ratelimit  sub key=subrequest rate=1r/d burst=5;
    }

    location = /sure.txt {
        gw_ratelimit  sure key=subrequest rate=1r/d burst=5;
    }
--- request
GET /include.txt?k=subrequest
--- response_body eval
"included: passed 4\n\n"
--- response_headers
RateLimit: "calls";r=4;t=86400
--- redis
KEYS gw:{subrequest}:* => gw:\{subrequest\}:calls



=== TEST 17: what is refused is neither mirrored nor looked for
--- http_config
    log_format  ratelimit '[$uri $status]';
--- config
    access_log      $TEST_NGINX_SERVER_ROOT/logs/access.log ratelimit;
    log_subrequest  on;

    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
        mirror        /sub.txt;
        try_files     /sure.txt =404;
    }

    location = /sub.txt {
        gw_ratelimit  mirrored key=$arg_k rate=1r/d burst=1;
    }
--- request eval
["GET /t.txt?k=mirror", "GET /t.txt?k=mirror", "GET /t.txt?k=mirror"]
--- error_code eval
[200, 429, 429]
--- response_body eval
["sure\n", 'problem "calls"', 'problem "calls"']
--- access_lines
1 \[/sure.txt 200\]
2 \[/t.txt 429\]
1 \[/sub.txt 200\]
--- redis
KEYS gw:{mirror}:* => gw:\{mirror\}:calls



=== TEST 18: the error page of a filter is not limited, nor cut off
--- config
    location = /t.txt {
        gw_ratelimit  calls key=filter rate=1r/d burst=5;
        error_page    412 = /page.txt;
    }

    location = /page.txt {
        gw_ratelimit  pages key=filter rate=1r/d burst=5;
    }
--- request
GET /t.txt
--- more_headers
If-Match: "nope"
--- error_code: 412
--- response_body_like: 412 Precondition Failed
--- redis
EXISTS gw:{filter}:calls => 1
EXISTS gw:{filter}:pages => 0



=== TEST 19: a page with another status has no Retry-After
--- config
    location = /t.txt {
        gw_ratelimit  calls key=other_status rate=1r/d burst=1;
        error_page    429 =200 /page.txt;
    }

    location = /page.txt { }
--- request eval
["GET /t.txt", "GET /t.txt"]
--- error_code eval
[200, 200]
--- response_body eval
["hello\n", "page\n"]
--- response_headers eval
["!Retry-After", "!Retry-After"]
