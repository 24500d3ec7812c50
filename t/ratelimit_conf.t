# Copyright (C) The nginx gateway modules authors

# What "nginx -t" says to wrong configurations of the ratelimit module.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


# "http" and "location" are directives, "emerg" is what becomes of them: a
# message that names the directive, and its place if that is known

add_block_preprocessor(sub {
    my $block = shift;

    return if !defined $block->emerg;

    my $http = $block->http // '';

    $http .= "\ngw_ratelimit_redis redis://127.0.0.1;\n"
        if $http !~ /gw_ratelimit_redis/ && !defined $block->no_redis;

    $block->set_value('http_config', $http);
    $block->set_value('config', $block->location // '');

    $block->set_value('must_die', '');
    $block->set_value('suppress_stderr', '');
    $block->set_value('error_log', [ '[emerg]', $block->emerg ]);
    $block->set_value('no_error_log', '[alert]');
});

run_tests();

__DATA__

=== TEST 1: gw_ratelimit_redis without a scheme
--- http: gw_ratelimit_redis 127.0.0.1:6379;
--- emerg: wrong URL in "gw_ratelimit_redis": it must look like redis://[[user]:password@]host[:port][/database] or unix:/path[:database] in



=== TEST 2: gw_ratelimit_redis with another scheme
--- http: gw_ratelimit_redis rediss://127.0.0.1;
--- emerg: wrong URL in "gw_ratelimit_redis": it must look like redis://[[user]:password@]host[:port][/database] or unix:/path[:database] in



=== TEST 3: gw_ratelimit_redis with one slash
--- http: gw_ratelimit_redis redis:/127.0.0.1;
--- emerg: wrong URL in "gw_ratelimit_redis": it must look like redis://[[user]:password@]host[:port][/database] or unix:/path[:database] in



=== TEST 4: gw_ratelimit_redis with nothing behind the scheme
--- http: gw_ratelimit_redis redis://;
--- emerg: wrong URL in "gw_ratelimit_redis": it must look like redis://[[user]:password@]host[:port][/database] or unix:/path[:database] in



=== TEST 5: gw_ratelimit_redis with an empty URL
--- http: gw_ratelimit_redis "";
--- emerg: wrong URL in "gw_ratelimit_redis": it must look like redis://[[user]:password@]host[:port][/database] or unix:/path[:database] in



=== TEST 6: gw_ratelimit_redis with a socket without a path
--- http: gw_ratelimit_redis unix:;
--- emerg: wrong URL in "gw_ratelimit_redis": it must look like redis://[[user]:password@]host[:port][/database] or unix:/path[:database] in



=== TEST 7: gw_ratelimit_redis with a database and no path
--- http: gw_ratelimit_redis unix::0;
--- emerg: wrong URL in "gw_ratelimit_redis": no path in the unix domain socket in



=== TEST 8: gw_ratelimit_redis with a path that is too long
--- http: gw_ratelimit_redis unix:/sockets-of-redis/sockets-of-redis/sockets-of-redis/sockets-of-redis/sockets-of-redis/sockets-of-redis/sockets-of-redis;
--- emerg: wrong URL in "gw_ratelimit_redis": too long path in the unix domain socket in



=== TEST 9: gw_ratelimit_redis with a database that is no number
--- http: gw_ratelimit_redis redis://127.0.0.1/x;
--- emerg: wrong URL in "gw_ratelimit_redis": the database must be a number in



=== TEST 10: gw_ratelimit_redis with a negative database
--- http: gw_ratelimit_redis redis://127.0.0.1/-1;
--- emerg: wrong URL in "gw_ratelimit_redis": the database must be a number in



=== TEST 11: gw_ratelimit_redis with two databases
--- http: gw_ratelimit_redis redis://127.0.0.1/0/1;
--- emerg: wrong URL in "gw_ratelimit_redis": the database must be a number in



=== TEST 12: gw_ratelimit_redis with a socket and a database that is no number
--- http: gw_ratelimit_redis unix:/tmp/x:y;
--- emerg: wrong URL in "gw_ratelimit_redis": the database must be a number in



=== TEST 13: gw_ratelimit_redis with a login and no host
--- http: gw_ratelimit_redis redis://:sesame@;
--- no_secret: sesame
--- emerg: wrong URL in "gw_ratelimit_redis": no host in



=== TEST 14: gw_ratelimit_redis with a user and no password
--- http: gw_ratelimit_redis redis://sesame@127.0.0.1;
--- no_secret: sesame
--- emerg: wrong URL in "gw_ratelimit_redis": a user without a password in



=== TEST 15: gw_ratelimit_redis with an empty password
--- http: gw_ratelimit_redis redis://sesame:@127.0.0.1;
--- no_secret: sesame
--- emerg: wrong URL in "gw_ratelimit_redis": a user without a password in



=== TEST 16: gw_ratelimit_redis with a bare percent sign in the password
--- http: gw_ratelimit_redis redis://:50%sesame@127.0.0.1;
--- no_secret: sesame
--- emerg: wrong URL in "gw_ratelimit_redis": a "%" in user or password must be written "%25" in



=== TEST 17: gw_ratelimit_redis with a percent sign at the end of the password
--- http: gw_ratelimit_redis redis://:sesame%4@127.0.0.1;
--- no_secret: sesame
--- emerg: wrong URL in "gw_ratelimit_redis": a "%" in user or password must be written "%25" in



=== TEST 18: gw_ratelimit_redis with a percent sign in the user
--- http: gw_ratelimit_redis redis://sesame%:x@127.0.0.1;
--- no_secret: sesame
--- emerg: wrong URL in "gw_ratelimit_redis": a "%" in user or password must be written "%25" in



=== TEST 19: gw_ratelimit_redis with port 0
--- http: gw_ratelimit_redis redis://127.0.0.1:0;
--- emerg: wrong URL in "gw_ratelimit_redis": invalid port in



=== TEST 20: gw_ratelimit_redis with a port that is too high
--- http: gw_ratelimit_redis redis://127.0.0.1:65536;
--- emerg: wrong URL in "gw_ratelimit_redis": invalid port in



=== TEST 21: gw_ratelimit_redis with a port that is no number
--- http: gw_ratelimit_redis redis://:sesame@127.0.0.1:x;
--- no_secret: sesame
--- emerg: wrong URL in "gw_ratelimit_redis": invalid port in



=== TEST 22: gw_ratelimit_redis with two hosts
--- http: gw_ratelimit_redis redis://127.0.0.1:6379,127.0.0.2:6379;
--- emerg: wrong URL in "gw_ratelimit_redis": invalid port in



=== TEST 23: gw_ratelimit_redis with an unknown host
--- http: gw_ratelimit_redis redis://joe:sesame@redis..invalid/0;
--- no_secret: sesame
--- emerg: wrong URL in "gw_ratelimit_redis": host not found in



=== TEST 24: gw_ratelimit_redis with a broken IPv6 address
--- http: gw_ratelimit_redis redis://[::1;
--- emerg: wrong URL in "gw_ratelimit_redis": invalid host in



=== TEST 25: gw_ratelimit_redis with a query
--- http: gw_ratelimit_redis redis://127.0.0.1?db=1;
--- emerg: wrong URL in "gw_ratelimit_redis": invalid host in



=== TEST 26: gw_ratelimit_redis without a parameter
--- http: gw_ratelimit_redis  ;
--- emerg: invalid number of arguments in "gw_ratelimit_redis" directive in



=== TEST 27: gw_ratelimit_redis with a timeout that is empty
--- http: gw_ratelimit_redis redis://127.0.0.1 timeout=;
--- emerg: "gw_ratelimit_redis" directive takes a "timeout=" between 1ms and 10s in



=== TEST 28: gw_ratelimit_redis with a timeout that is 0
--- http: gw_ratelimit_redis redis://127.0.0.1 timeout=0;
--- emerg: "gw_ratelimit_redis" directive takes a "timeout=" between 1ms and 10s in



=== TEST 29: gw_ratelimit_redis with a timeout that is too long
--- http: gw_ratelimit_redis redis://127.0.0.1 timeout=10001ms;
--- emerg: "gw_ratelimit_redis" directive takes a "timeout=" between 1ms and 10s in



=== TEST 30: gw_ratelimit_redis with a timeout that is no time
--- http: gw_ratelimit_redis redis://127.0.0.1 timeout=soon;
--- emerg: "gw_ratelimit_redis" directive takes a "timeout=" between 1ms and 10s in



=== TEST 31: gw_ratelimit_redis with a timeout that is negative
--- http: gw_ratelimit_redis redis://127.0.0.1 timeout=-1;
--- emerg: "gw_ratelimit_redis" directive takes a "timeout=" between 1ms and 10s in



=== TEST 32: gw_ratelimit_redis with an unknown parameter
--- http: gw_ratelimit_redis redis://127.0.0.1 timeot=50ms;
--- emerg: "gw_ratelimit_redis" directive takes one URL and, behind it, only "timeout=" in



=== TEST 33: gw_ratelimit_redis with a second URL
--- http: gw_ratelimit_redis redis://127.0.0.1 redis://:sesame@127.0.0.2;
--- no_secret: sesame
--- emerg: "gw_ratelimit_redis" directive takes one URL and, behind it, only "timeout=" in



=== TEST 34: gw_ratelimit_redis with a password that has a space
--- http: gw_ratelimit_redis redis://:open sesame@127.0.0.2;
--- no_secret: sesame
--- emerg: wrong URL in "gw_ratelimit_redis": invalid port in



=== TEST 35: gw_ratelimit_redis with parameters in the wrong order
--- http: gw_ratelimit_redis timeout=1s redis://:sesame@127.0.0.1;
--- no_secret: sesame
--- emerg: wrong URL in "gw_ratelimit_redis": it must look like redis://[[user]:password@]host[:port][/database] or unix:/path[:database] in



=== TEST 36: gw_ratelimit_redis with too many parameters
--- http: gw_ratelimit_redis redis://:sesame@127.0.0.1 timeout=1s timeout=1s;
--- no_secret: sesame
--- emerg: invalid number of arguments in "gw_ratelimit_redis" directive in



=== TEST 37: gw_ratelimit_redis twice
--- http
gw_ratelimit_redis  redis://127.0.0.1;
gw_ratelimit_redis  redis://127.0.0.1:6380;
--- emerg: "gw_ratelimit_redis" directive is duplicate in



=== TEST 38: gw_ratelimit_redis below http
--- location: gw_ratelimit_redis  redis://127.0.0.1;
--- emerg: "gw_ratelimit_redis" directive is not allowed here in



=== TEST 39: gw_ratelimit_tier without parameters
--- http: gw_ratelimit_tier ;
--- emerg: invalid number of arguments in "gw_ratelimit_tier" directive in



=== TEST 40: gw_ratelimit_tier with a name alone
--- http: gw_ratelimit_tier free;
--- emerg: invalid number of arguments in "gw_ratelimit_tier" directive in



=== TEST 41: gw_ratelimit_tier with too many parameters
--- http: gw_ratelimit_tier free rate=5r/s burst=5 burst=6;
--- emerg: invalid number of arguments in "gw_ratelimit_tier" directive in



=== TEST 42: gw_ratelimit_tier without a rate
--- http: gw_ratelimit_tier free burst=5;
--- emerg: "gw_ratelimit_tier" directive has no "rate=" in



=== TEST 43: gw_ratelimit_tier without a name
--- http: gw_ratelimit_tier rate=5r/s burst=3;
--- emerg: "gw_ratelimit_tier" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 44: gw_ratelimit_tier with an empty name
--- http: gw_ratelimit_tier "" rate=5r/s;
--- emerg: "gw_ratelimit_tier" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 45: gw_ratelimit_tier with a colon in its name
--- http: gw_ratelimit_tier fr:ee rate=5r/s;
--- emerg: "gw_ratelimit_tier" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 46: gw_ratelimit_tier with a brace in its name
--- http: gw_ratelimit_tier "fr}ee" rate=5r/s;
--- emerg: "gw_ratelimit_tier" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 47: gw_ratelimit_tier with a quote in its name
--- http: gw_ratelimit_tier 'fr"ee' rate=5r/s;
--- emerg: "gw_ratelimit_tier" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 48: gw_ratelimit_tier with a letter of another script in its name
--- http: gw_ratelimit_tier frée rate=5r/s;
--- emerg: "gw_ratelimit_tier" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 49: gw_ratelimit_tier with a name that is too long
--- http: gw_ratelimit_tier nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn rate=5r/s;
--- emerg: "gw_ratelimit_tier" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 50: gw_ratelimit_tier with a rate without a unit
--- http: gw_ratelimit_tier free rate=5;
--- emerg: in "gw_ratelimit_tier" the rate must be a number followed by r/s, r/m, r/h or r/d in



=== TEST 51: gw_ratelimit_tier with an empty rate
--- http: gw_ratelimit_tier free rate=;
--- emerg: in "gw_ratelimit_tier" the rate must be a number followed by r/s, r/m, r/h or r/d in



=== TEST 52: gw_ratelimit_tier with a rate of another unit
--- http: gw_ratelimit_tier free rate=5r/w;
--- emerg: in "gw_ratelimit_tier" the rate must be a number followed by r/s, r/m, r/h or r/d in



=== TEST 53: gw_ratelimit_tier with a fraction as its rate
--- http: gw_ratelimit_tier free rate=0.5r/s;
--- emerg: in "gw_ratelimit_tier" the rate must be a number followed by r/s, r/m, r/h or r/d in



=== TEST 54: gw_ratelimit_tier with a variable as its rate
--- http: gw_ratelimit_tier free rate=$arg_r;
--- emerg: in "gw_ratelimit_tier" the rate must be a number followed by r/s, r/m, r/h or r/d in



=== TEST 55: gw_ratelimit_tier with rate 0
--- http: gw_ratelimit_tier free rate=0r/s;
--- emerg: in "gw_ratelimit_tier" the rate must be at least 1 in



=== TEST 56: gw_ratelimit_tier with more than a million per second
--- http: gw_ratelimit_tier free rate=1000001r/s;
--- emerg: in "gw_ratelimit_tier" the rate must not exceed 1000000r/s in



=== TEST 57: gw_ratelimit_tier with a rate beyond all numbers
--- http: gw_ratelimit_tier free rate=99999999999999999999r/d;
--- emerg: in "gw_ratelimit_tier" the rate is too high in



=== TEST 58: gw_ratelimit_tier with a burst that is 0
--- http: gw_ratelimit_tier free rate=5r/s burst=0;
--- emerg: "burst" of "gw_ratelimit_tier" must be a number from 1 on in



=== TEST 59: gw_ratelimit_tier with a burst that is empty
--- http: gw_ratelimit_tier free rate=5r/s burst=;
--- emerg: "burst" of "gw_ratelimit_tier" must be a number from 1 on in



=== TEST 60: gw_ratelimit_tier with a burst that is negative
--- http: gw_ratelimit_tier free rate=5r/s burst=-1;
--- emerg: "burst" of "gw_ratelimit_tier" must be a number from 1 on in



=== TEST 61: gw_ratelimit_tier with a burst that is no number
--- http: gw_ratelimit_tier free rate=5r/s burst=many;
--- emerg: "burst" of "gw_ratelimit_tier" must be a number from 1 on in



=== TEST 62: gw_ratelimit_tier with a burst that is beyond all numbers
--- http: gw_ratelimit_tier free rate=5r/s burst=99999999999999999999;
--- emerg: "burst" of "gw_ratelimit_tier" must be a number from 1 on in



=== TEST 63: gw_ratelimit_tier with a burst that never comes back
--- http: gw_ratelimit_tier free rate=1r/d burst=26063;
--- emerg: in "gw_ratelimit_tier" the burst is too large: it needs 71 years to come back in



=== TEST 64: gw_ratelimit_tier with an unknown parameter
--- http: gw_ratelimit_tier free rate=5r/s quota=1000/day;
--- emerg: invalid parameter "quota=1000/day" of "gw_ratelimit_tier" in



=== TEST 65: gw_ratelimit_tier with a parameter in capitals
--- http: gw_ratelimit_tier free Rate=5r/s;
--- emerg: invalid parameter "Rate=5r/s" of "gw_ratelimit_tier" in



=== TEST 66: gw_ratelimit_tier twice
--- http
gw_ratelimit_tier  free rate=5r/s;
gw_ratelimit_tier  free rate=6r/s;
--- emerg: "gw_ratelimit_tier" "free" is duplicate in



=== TEST 67: gw_ratelimit_tier below http
--- location: gw_ratelimit_tier  free rate=5r/s;
--- emerg: "gw_ratelimit_tier" directive is not allowed here in



=== TEST 68: gw_ratelimit without parameters
--- location: gw_ratelimit ;
--- emerg: invalid number of arguments in "gw_ratelimit" directive in



=== TEST 69: gw_ratelimit with a name alone
--- location: gw_ratelimit calls;
--- emerg: "gw_ratelimit" directive has no "key=": say whom the limit is for, for example key=$gw_subject in



=== TEST 70: gw_ratelimit without a name
--- location: gw_ratelimit key=$arg_k rate=1r/s;
--- emerg: "gw_ratelimit" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 71: gw_ratelimit with a colon in its name
--- location: gw_ratelimit ca:lls key=$arg_k rate=1r/s;
--- emerg: "gw_ratelimit" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 72: gw_ratelimit with a variable as its name
--- location: gw_ratelimit $arg_n key=$arg_k rate=1r/s;
--- emerg: "gw_ratelimit" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 73: gw_ratelimit without a key
--- location: gw_ratelimit calls rate=1r/s;
--- emerg: "gw_ratelimit" directive has no "key=": say whom the limit is for, for example key=$gw_subject in



=== TEST 74: gw_ratelimit with an empty key
--- location: gw_ratelimit calls key= rate=1r/s;
--- emerg: empty or duplicate parameter "key=" of "gw_ratelimit" in



=== TEST 75: gw_ratelimit with two keys
--- location: gw_ratelimit calls key=$arg_k key=$arg_j rate=1r/s;
--- emerg: empty or duplicate parameter "key=$arg_j" of "gw_ratelimit" in



=== TEST 76: gw_ratelimit without numbers
--- location: gw_ratelimit calls key=$arg_k;
--- emerg: "gw_ratelimit" directive needs either "tier=" or "rate=" in



=== TEST 77: gw_ratelimit with a tier and a rate
--- location: gw_ratelimit calls key=$arg_k tier=$arg_t rate=1r/s;
--- emerg: "gw_ratelimit" directive needs either "tier=" or "rate=" in



=== TEST 78: gw_ratelimit with a burst alone
--- location: gw_ratelimit calls key=$arg_k burst=5;
--- emerg: "gw_ratelimit" directive needs either "tier=" or "rate=" in



=== TEST 79: gw_ratelimit with a tier and a burst
--- location: gw_ratelimit calls key=$arg_k tier=$arg_t burst=5;
--- emerg: "gw_ratelimit" directive takes "burst=" only together with "rate=" in



=== TEST 80: gw_ratelimit with an empty tier
--- location: gw_ratelimit calls key=$arg_k tier=;
--- emerg: empty or duplicate parameter "tier=" of "gw_ratelimit" in



=== TEST 81: gw_ratelimit with two tiers
--- location: gw_ratelimit calls key=$arg_k tier=free tier=gold;
--- emerg: empty or duplicate parameter "tier=gold" of "gw_ratelimit" in



=== TEST 82: gw_ratelimit with a tier that is not defined
--- http: gw_ratelimit_tier  free rate=5r/s;
--- location: gw_ratelimit calls key=$arg_k tier=gold;
--- emerg: "gw_ratelimit" "calls" uses the unknown tier "gold": define it by "gw_ratelimit_tier"



=== TEST 83: gw_ratelimit with a wrong rate
--- location: gw_ratelimit calls key=$arg_k rate=1;
--- emerg: in "gw_ratelimit" the rate must be a number followed by r/s, r/m, r/h or r/d in



=== TEST 84: gw_ratelimit with a burst of 0
--- location: gw_ratelimit calls key=$arg_k rate=1r/s burst=0;
--- emerg: "burst" of "gw_ratelimit" must be a number from 1 on in



=== TEST 85: gw_ratelimit with an unknown error policy
--- location: gw_ratelimit calls key=$arg_k rate=1r/s error=local;
--- emerg: "gw_ratelimit" directive takes "error=allow" or "error=deny" in



=== TEST 86: gw_ratelimit with an empty error policy
--- location: gw_ratelimit calls key=$arg_k rate=1r/s error=;
--- emerg: "gw_ratelimit" directive takes "error=allow" or "error=deny" in



=== TEST 87: gw_ratelimit with an unknown parameter
--- location: gw_ratelimit calls key=$arg_k rate=1r/s dry_run;
--- emerg: invalid parameter "dry_run" of "gw_ratelimit" in



=== TEST 88: gw_ratelimit with an unfinished variable
--- location: gw_ratelimit calls key=${arg_k rate=1r/s;
--- emerg: the closing bracket in "arg_k" variable is missing in



=== TEST 89: gw_ratelimit with a variable that nobody defines
--- location: gw_ratelimit calls key=$nobodys rate=1r/s;
--- emerg: unknown "nobodys" variable



=== TEST 90: gw_ratelimit with off and more
--- location: gw_ratelimit off key=$arg_k rate=1r/s;
--- emerg: "gw_ratelimit" directive takes "off" only alone in



=== TEST 91: gw_ratelimit off twice
--- location
gw_ratelimit  off;
gw_ratelimit  off;
--- emerg: "gw_ratelimit" directive takes "off" only alone in



=== TEST 92: gw_ratelimit off before a limit
--- location
gw_ratelimit  off;
gw_ratelimit  calls key=$arg_k rate=1r/s;
--- emerg: "gw_ratelimit" directive takes "off" only alone in



=== TEST 93: gw_ratelimit off behind a limit
--- location
gw_ratelimit  calls key=$arg_k rate=1r/s;
gw_ratelimit  off;
--- emerg: "gw_ratelimit" directive takes "off" only alone in



=== TEST 94: gw_ratelimit twice with one name
--- location
gw_ratelimit  calls key=$arg_k rate=1r/s;
gw_ratelimit  calls key=$arg_k rate=1r/s;
--- emerg: "gw_ratelimit" "calls" is duplicate in



=== TEST 95: gw_ratelimit nine times
--- location
gw_ratelimit  n1 key=$arg_k rate=1r/s;
gw_ratelimit  n2 key=$arg_k rate=1r/s;
gw_ratelimit  n3 key=$arg_k rate=1r/s;
gw_ratelimit  n4 key=$arg_k rate=1r/s;
gw_ratelimit  n5 key=$arg_k rate=1r/s;
gw_ratelimit  n6 key=$arg_k rate=1r/s;
gw_ratelimit  n7 key=$arg_k rate=1r/s;
gw_ratelimit  n8 key=$arg_k rate=1r/s;
gw_ratelimit  n9 key=$arg_k rate=1r/s;
--- emerg: "gw_ratelimit" directive must not be given more than 8 times in one place in



=== TEST 96: gw_ratelimit with one name and two rates
--- http: gw_ratelimit  calls key=$arg_k rate=2r/s burst=5;
--- location: gw_ratelimit  calls key=$arg_k rate=1r/s burst=5;
--- emerg: "gw_ratelimit" directive has a name used elsewhere with another rate or burst: limits of one name share their buckets in



=== TEST 97: gw_ratelimit with one name and two bursts
--- http: gw_ratelimit  calls key=$arg_k rate=2r/s burst=5;
--- location: gw_ratelimit  calls key=$arg_k rate=2r/s;
--- emerg: "gw_ratelimit" directive has a name used elsewhere with another rate or burst: limits of one name share their buckets in



=== TEST 98: gw_ratelimit in an if
--- location
location = /t.txt {
    if ($arg_x) {
        gw_ratelimit  calls key=$arg_k rate=1r/s;
    }
}
--- emerg: "gw_ratelimit" directive is not allowed here in



=== TEST 99: gw_ratelimit without gw_ratelimit_redis
--- location: gw_ratelimit calls key=$arg_k rate=1r/s;
--- no_redis
--- emerg: "gw_ratelimit" needs "gw_ratelimit_redis", the Redis that keeps the buckets



=== TEST 100: without any limit no Redis is needed
--- config
    gw_ratelimit  off;
--- request
GET /t.txt
--- response_body
hello



=== TEST 101: eight limits in one place
--- config
    gw_ratelimit  n1 key=eight rate=1r/s;
    gw_ratelimit  n2 key=eight rate=1r/s;
    gw_ratelimit  n3 key=eight rate=1r/s;
    gw_ratelimit  n4 key=eight rate=1r/s;
    gw_ratelimit  n5 key=eight rate=1r/s;
    gw_ratelimit  n6 key=eight rate=1r/s;
    gw_ratelimit  n7 key=eight rate=1r/s;
    gw_ratelimit  n8 key=eight rate=1r/s;
--- request
GET /t.txt
--- response_body
hello



=== TEST 102: names of 64 characters, of all kinds
--- http_config
    gw_ratelimit_tier  A-z_0-9nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnx rate=5r/s;
--- config
    gw_ratelimit  Z-a_9-0nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn key=$arg_k tier=A-z_0-9nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnx;
--- request
GET /t.txt
--- response_body
hello



=== TEST 103: a tier is defined behind its use
--- http_config
    gw_ratelimit       calls key=$arg_k tier=free;
    gw_ratelimit_tier  free burst=3 rate=5r/s;
--- config
    set $x 1;
--- request
GET /t.txt
--- response_body
hello



=== TEST 104: one name, with the same numbers in another spelling
--- http_config
    gw_ratelimit  calls key=$arg_k rate=60r/m burst=1;
--- config
    gw_ratelimit  calls key=$arg_j rate=1r/s;
--- request
GET /t.txt
--- response_body
hello



=== TEST 105: one name, with a tier and with numbers of its own
--- http_config
    gw_ratelimit_tier  free rate=5r/s;
    gw_ratelimit       calls key=$arg_k rate=60r/m;
--- config
    gw_ratelimit  calls key=$arg_j tier=free;
--- request
GET /t.txt
--- response_body
hello



=== TEST 106: the largest numbers
--- http_config
    gw_ratelimit_tier  a rate=1000000r/s;
    gw_ratelimit_tier  b rate=1r/d burst=26062;
    gw_ratelimit_tier  c rate=86400000000r/d burst=2251799813685248;
--- config
    gw_ratelimit  a key=largest tier=a;
    gw_ratelimit  b key=largest tier=b;
    gw_ratelimit  c key=largest tier=c;
--- request
GET /t.txt
--- response_body
hello
--- response_headers
RateLimit-Policy: "a";q=1000000;w=1, "b";q=26062;w=2251756800, "c";q=2251799813685248;w=2251799814



=== TEST 107: the example of the documentation
--- config
--- init
my ($example) = slurp('docs/ngx_http_gw_ratelimit_module.md')
    =~ /^```nginx\n(load_module.*?)^```/ms;
my $module = (grep { /ratelimit/ }
              split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '')[0];
$example =~ s/^load_module .*?;/$module ? "load_module $module;" : ''/em;
my $file = server_root() . '/conf/example.conf';
$example =~ s/listen  8080;/listen unix:$file.sock;/;
open(my $fh, '>', $file) or die "$file: $!\n";
print $fh "pid $file.pid;\n$example";
close($fh);
my $nginx = $ENV{TEST_NGINX_BINARY} // 'nginx';
like(`$nginx -t -e stderr -p ${\ server_root()} -c $file 2>&1`,
     qr/test is successful/, 'nginx -t');
--- request
GET /t.txt
--- response_body
hello
