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
--- emerg: wrong URL in "gw_ratelimit_redis": it must look like redis://[[user]:password@]host[:port][,host[:port]...][/database], the same with rediss://, or unix:/path[:database] in



=== TEST 2: gw_ratelimit_redis with another scheme
--- http: gw_ratelimit_redis redisx://127.0.0.1;
--- emerg: wrong URL in "gw_ratelimit_redis": it must look like redis://[[user]:password@]host[:port][,host[:port]...][/database], the same with rediss://, or unix:/path[:database] in



=== TEST 3: gw_ratelimit_redis with one slash
--- http: gw_ratelimit_redis redis:/127.0.0.1;
--- emerg: wrong URL in "gw_ratelimit_redis": it must look like redis://[[user]:password@]host[:port][,host[:port]...][/database], the same with rediss://, or unix:/path[:database] in



=== TEST 4: gw_ratelimit_redis with nothing behind the scheme
--- http: gw_ratelimit_redis redis://;
--- emerg: wrong URL in "gw_ratelimit_redis": no host in



=== TEST 5: gw_ratelimit_redis with an empty URL
--- http: gw_ratelimit_redis "";
--- emerg: wrong URL in "gw_ratelimit_redis": it must look like redis://[[user]:password@]host[:port][,host[:port]...][/database], the same with rediss://, or unix:/path[:database] in



=== TEST 6: gw_ratelimit_redis with a socket without a path
--- http: gw_ratelimit_redis unix:;
--- emerg: wrong URL in "gw_ratelimit_redis": it must look like redis://[[user]:password@]host[:port][,host[:port]...][/database], the same with rediss://, or unix:/path[:database] in



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



=== TEST 22: gw_ratelimit_redis with a host and a port alone
--- http: gw_ratelimit_redis redis://127.0.0.1:6379,:6379;
--- emerg: wrong URL in "gw_ratelimit_redis": no host in



=== TEST 23: gw_ratelimit_redis with an unknown host
--- http: gw_ratelimit_redis redis://joe:sesame@redis..invalid/0;
--- no_secret: sesame
--- emerg: host number 1 in the URL of "gw_ratelimit_redis" was not found, and there is no "resolver" to ask later



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
--- emerg: "gw_ratelimit_redis" directive takes "timeout=" once, between 1ms and 10s in



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
--- emerg: "gw_ratelimit_redis" directive takes one URL and, behind it, only "timeout=", "sentinel=", "cluster", "sentinel_auth=", "ca=", "certificate=", "certificate_key=" and "server_name=" in



=== TEST 33: gw_ratelimit_redis with a second URL
--- http: gw_ratelimit_redis redis://127.0.0.1 redis://:sesame@127.0.0.2;
--- no_secret: sesame
--- emerg: "gw_ratelimit_redis" directive takes one URL and, behind it, only "timeout=", "sentinel=", "cluster", "sentinel_auth=", "ca=", "certificate=", "certificate_key=" and "server_name=" in



=== TEST 34: gw_ratelimit_redis with a password that has a space
--- http: gw_ratelimit_redis redis://:open sesame@127.0.0.2;
--- no_secret: sesame
--- emerg: "gw_ratelimit_redis" directive takes one URL and, behind it, only "timeout=", "sentinel=", "cluster", "sentinel_auth=", "ca=", "certificate=", "certificate_key=" and "server_name=" in



=== TEST 35: gw_ratelimit_redis with parameters in the wrong order
--- http: gw_ratelimit_redis timeout=1s redis://:sesame@127.0.0.1;
--- no_secret: sesame
--- emerg: "gw_ratelimit_redis" directive takes one URL and, behind it, only "timeout=", "sentinel=", "cluster", "sentinel_auth=", "ca=", "certificate=", "certificate_key=" and "server_name=" in



=== TEST 36: gw_ratelimit_redis with two timeouts
--- http: gw_ratelimit_redis redis://:sesame@127.0.0.1 timeout=1s timeout=1s;
--- no_secret: sesame
--- emerg: "gw_ratelimit_redis" directive takes "timeout=" once, between 1ms and 10s in



=== TEST 37: gw_ratelimit_redis twice
--- http
gw_ratelimit_redis  redis://127.0.0.1;
gw_ratelimit_redis  redis://127.0.0.1:6380;
--- emerg: "gw_ratelimit_redis" directive is duplicate in



=== TEST 38: gw_ratelimit_redis below http
--- location: gw_ratelimit_redis  redis://127.0.0.1;
--- emerg: "gw_ratelimit_redis" directive is not allowed here in



=== TEST 39: gw_ratelimit_redis with an empty sentinel
--- http: gw_ratelimit_redis redis://127.0.0.1 sentinel=;
--- emerg: "gw_ratelimit_redis" directive takes "sentinel=" once, with the name of a master in



=== TEST 40: gw_ratelimit_redis with two sentinels
--- http: gw_ratelimit_redis redis://127.0.0.1 sentinel=a sentinel=b;
--- emerg: "gw_ratelimit_redis" directive takes "sentinel=" once, with the name of a master in



=== TEST 41: gw_ratelimit_redis with cluster twice
--- http: gw_ratelimit_redis redis://127.0.0.1 cluster cluster;
--- emerg: "gw_ratelimit_redis" directive takes "cluster" once in



=== TEST 42: gw_ratelimit_redis with sentinel and cluster
--- http: gw_ratelimit_redis redis://127.0.0.1 cluster sentinel=a;
--- emerg: "gw_ratelimit_redis" directive takes either "sentinel=" or "cluster" in



=== TEST 43: gw_ratelimit_redis with a socket and sentinel
--- http: gw_ratelimit_redis unix:/tmp/x sentinel=a;
--- emerg: "gw_ratelimit_redis" directive takes "sentinel=" and "cluster" only with redis:// or rediss:// in



=== TEST 44: gw_ratelimit_redis with a socket and cluster
--- http: gw_ratelimit_redis unix:/tmp/x cluster;
--- emerg: "gw_ratelimit_redis" directive takes "sentinel=" and "cluster" only with redis:// or rediss:// in



=== TEST 45: gw_ratelimit_redis with a database of a cluster
--- http: gw_ratelimit_redis redis://127.0.0.1/1 cluster;
--- emerg: "gw_ratelimit_redis" directive takes no database together with "cluster", which has only one in



=== TEST 46: gw_ratelimit_redis with sentinel_auth alone
--- http: gw_ratelimit_redis redis://127.0.0.1 sentinel_auth=sesame;
--- no_secret: sesame
--- emerg: "gw_ratelimit_redis" directive takes "sentinel_auth=" only together with "sentinel=" in



=== TEST 47: gw_ratelimit_redis with an empty sentinel_auth
--- http: gw_ratelimit_redis redis://127.0.0.1 sentinel=a sentinel_auth=;
--- emerg: "gw_ratelimit_redis" directive takes "sentinel_auth=" once, with a password or USER:PASSWORD in



=== TEST 48: gw_ratelimit_redis with two of sentinel_auth
--- http: gw_ratelimit_redis redis://127.0.0.1 sentinel=a sentinel_auth=sesame sentinel_auth=sesame;
--- no_secret: sesame
--- emerg: "gw_ratelimit_redis" directive takes "sentinel_auth=" once, with a password or USER:PASSWORD in



=== TEST 49: gw_ratelimit_redis with a bare percent sign in sentinel_auth
--- http: gw_ratelimit_redis redis://127.0.0.1 sentinel=a sentinel_auth=50%sesame;
--- no_secret: sesame
--- emerg: wrong "sentinel_auth=" in "gw_ratelimit_redis": a "%" in user or password must be written "%25" in



=== TEST 50: gw_ratelimit_redis with an empty ca
--- http: gw_ratelimit_redis rediss://127.0.0.1 ca=;
--- emerg: "gw_ratelimit_redis" directive takes "ca=" once, with a file in



=== TEST 51: gw_ratelimit_redis with two of ca
--- http: gw_ratelimit_redis rediss://127.0.0.1 ca=a ca=b;
--- emerg: "gw_ratelimit_redis" directive takes "ca=" once, with a file in



=== TEST 52: gw_ratelimit_redis with an empty certificate
--- http: gw_ratelimit_redis rediss://127.0.0.1 certificate=;
--- emerg: "gw_ratelimit_redis" directive takes "certificate=" once, with a file in



=== TEST 53: gw_ratelimit_redis with an empty certificate_key
--- http: gw_ratelimit_redis rediss://127.0.0.1 certificate_key=;
--- emerg: "gw_ratelimit_redis" directive takes "certificate_key=" once, with a file in



=== TEST 54: gw_ratelimit_redis with an empty server_name
--- http: gw_ratelimit_redis rediss://127.0.0.1 server_name=;
--- emerg: "gw_ratelimit_redis" directive takes "server_name=" once, with the name in the certificates in



=== TEST 55: gw_ratelimit_redis with a server_name that is none
--- http: gw_ratelimit_redis rediss://127.0.0.1 server_name=a/b;
--- emerg: "gw_ratelimit_redis" directive takes a "server_name=" of letters, digits, "-", ".", "_" and ":" in



=== TEST 56: gw_ratelimit_redis with ca and without TLS
--- http: gw_ratelimit_redis redis://127.0.0.1 ca=a;
--- emerg: "gw_ratelimit_redis" directive takes "ca=", "certificate=", "certificate_key=" and "server_name=" only with rediss:// in



=== TEST 57: gw_ratelimit_redis with certificate and without TLS
--- http: gw_ratelimit_redis redis://127.0.0.1 certificate=a certificate_key=b;
--- emerg: "gw_ratelimit_redis" directive takes "ca=", "certificate=", "certificate_key=" and "server_name=" only with rediss:// in



=== TEST 58: gw_ratelimit_redis with server_name and without TLS
--- http: gw_ratelimit_redis redis://127.0.0.1 server_name=a;
--- emerg: "gw_ratelimit_redis" directive takes "ca=", "certificate=", "certificate_key=" and "server_name=" only with rediss:// in



=== TEST 59: gw_ratelimit_redis with a certificate without its key
--- http: gw_ratelimit_redis rediss://127.0.0.1 certificate=a;
--- emerg: "gw_ratelimit_redis" directive needs "certificate=" and "certificate_key=" together in



=== TEST 60: gw_ratelimit_redis with a key without its certificate
--- http: gw_ratelimit_redis rediss://127.0.0.1 certificate_key=a;
--- emerg: "gw_ratelimit_redis" directive needs "certificate=" and "certificate_key=" together in



=== TEST 61: gw_ratelimit_redis with a ca that is not there
--- http: gw_ratelimit_redis rediss://127.0.0.1 ca=none.pem;
--- emerg: none.pem



=== TEST 62: gw_ratelimit_redis with too many hosts
--- http: gw_ratelimit_redis redis://127.0.0.1,127.0.0.2,127.0.0.3,127.0.0.4,127.0.0.5,127.0.0.6,127.0.0.7,127.0.0.8,127.0.0.9,127.0.0.10,127.0.0.11,127.0.0.12,127.0.0.13,127.0.0.14,127.0.0.15,127.0.0.16,127.0.0.17;
--- emerg: wrong URL in "gw_ratelimit_redis": more than 16 hosts in



=== TEST 63: gw_ratelimit_tier without parameters
--- http: gw_ratelimit_tier ;
--- emerg: invalid number of arguments in "gw_ratelimit_tier" directive in



=== TEST 64: gw_ratelimit_tier with a name alone
--- http: gw_ratelimit_tier free;
--- emerg: invalid number of arguments in "gw_ratelimit_tier" directive in



=== TEST 65: gw_ratelimit_tier with two bursts
--- http: gw_ratelimit_tier free rate=5r/s burst=5 burst=6;
--- emerg: "gw_ratelimit_tier" directive has more than one "burst=" in



=== TEST 66: gw_ratelimit_tier without a rate
--- http: gw_ratelimit_tier free burst=5;
--- emerg: "gw_ratelimit_tier" directive has no "rate=" in



=== TEST 67: gw_ratelimit_tier without a name
--- http: gw_ratelimit_tier rate=5r/s burst=3;
--- emerg: "gw_ratelimit_tier" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 68: gw_ratelimit_tier with an empty name
--- http: gw_ratelimit_tier "" rate=5r/s;
--- emerg: "gw_ratelimit_tier" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 69: gw_ratelimit_tier with a colon in its name
--- http: gw_ratelimit_tier fr:ee rate=5r/s;
--- emerg: "gw_ratelimit_tier" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 70: gw_ratelimit_tier with a brace in its name
--- http: gw_ratelimit_tier "fr}ee" rate=5r/s;
--- emerg: "gw_ratelimit_tier" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 71: gw_ratelimit_tier with a quote in its name
--- http: gw_ratelimit_tier 'fr"ee' rate=5r/s;
--- emerg: "gw_ratelimit_tier" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 72: gw_ratelimit_tier with a letter of another script in its name
--- http: gw_ratelimit_tier frée rate=5r/s;
--- emerg: "gw_ratelimit_tier" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 73: gw_ratelimit_tier with a name that is too long
--- http: gw_ratelimit_tier nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn rate=5r/s;
--- emerg: "gw_ratelimit_tier" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 74: gw_ratelimit_tier with a rate without a unit
--- http: gw_ratelimit_tier free rate=5;
--- emerg: "gw_ratelimit_tier" directive has a rate that is no number followed by r/s, r/m, r/h or r/d in



=== TEST 75: gw_ratelimit_tier with an empty rate
--- http: gw_ratelimit_tier free rate=;
--- emerg: "gw_ratelimit_tier" directive has a rate that is no number followed by r/s, r/m, r/h or r/d in



=== TEST 76: gw_ratelimit_tier with a rate of another unit
--- http: gw_ratelimit_tier free rate=5r/w;
--- emerg: "gw_ratelimit_tier" directive has a rate that is no number followed by r/s, r/m, r/h or r/d in



=== TEST 77: gw_ratelimit_tier with a fraction as its rate
--- http: gw_ratelimit_tier free rate=0.5r/s;
--- emerg: "gw_ratelimit_tier" directive has a rate that is no number followed by r/s, r/m, r/h or r/d in



=== TEST 78: gw_ratelimit_tier with a variable as its rate
--- http: gw_ratelimit_tier free rate=$arg_r;
--- emerg: "gw_ratelimit_tier" directive has a rate that is no number followed by r/s, r/m, r/h or r/d in



=== TEST 79: gw_ratelimit_tier with rate 0
--- http: gw_ratelimit_tier free rate=0r/s;
--- emerg: "gw_ratelimit_tier" directive has a rate of 0 in



=== TEST 80: gw_ratelimit_tier with more than a million per second
--- http: gw_ratelimit_tier free rate=1000001r/s;
--- emerg: "gw_ratelimit_tier" directive has a rate above 1000000r/s in



=== TEST 81: gw_ratelimit_tier with a rate beyond all numbers
--- http: gw_ratelimit_tier free rate=99999999999999999999r/d;
--- emerg: "gw_ratelimit_tier" directive has a rate that is too high in



=== TEST 82: gw_ratelimit_tier with a burst that is 0
--- http: gw_ratelimit_tier free rate=5r/s burst=0;
--- emerg: "gw_ratelimit_tier" directive has a burst that is no number of at least 1 in



=== TEST 83: gw_ratelimit_tier with a burst that is empty
--- http: gw_ratelimit_tier free rate=5r/s burst=;
--- emerg: "gw_ratelimit_tier" directive has a burst that is no number of at least 1 in



=== TEST 84: gw_ratelimit_tier with a burst that is negative
--- http: gw_ratelimit_tier free rate=5r/s burst=-1;
--- emerg: "gw_ratelimit_tier" directive has a burst that is no number of at least 1 in



=== TEST 85: gw_ratelimit_tier with a burst that is no number
--- http: gw_ratelimit_tier free rate=5r/s burst=many;
--- emerg: "gw_ratelimit_tier" directive has a burst that is no number of at least 1 in



=== TEST 86: gw_ratelimit_tier with a burst that is beyond all numbers
--- http: gw_ratelimit_tier free rate=5r/s burst=99999999999999999999;
--- emerg: "gw_ratelimit_tier" directive has a burst that needs more than 71 years to come back in



=== TEST 87: gw_ratelimit_tier with a burst that never comes back
--- http: gw_ratelimit_tier free rate=1r/d burst=26063;
--- emerg: "gw_ratelimit_tier" directive has a burst that needs more than 71 years to come back in



=== TEST 88: gw_ratelimit_tier with an unknown parameter
--- http: gw_ratelimit_tier free rate=5r/s quotas=1000/day;
--- emerg: invalid parameter "quotas=1000/day" of "gw_ratelimit_tier" in



=== TEST 89: gw_ratelimit_tier with a parameter in capitals
--- http: gw_ratelimit_tier free Rate=5r/s;
--- emerg: invalid parameter "Rate=5r/s" of "gw_ratelimit_tier" in



=== TEST 90: gw_ratelimit_tier twice
--- http
gw_ratelimit_tier  free rate=5r/s;
gw_ratelimit_tier  free rate=6r/s;
--- emerg: "gw_ratelimit_tier" "free" is duplicate in



=== TEST 91: gw_ratelimit_tier below http
--- location: gw_ratelimit_tier  free rate=5r/s;
--- emerg: "gw_ratelimit_tier" directive is not allowed here in



=== TEST 92: gw_ratelimit_tier with two rates
--- http: gw_ratelimit_tier free rate=5r/s rate=6r/s;
--- emerg: "gw_ratelimit_tier" directive has more than one "rate=" in



=== TEST 93: gw_ratelimit_tier with an empty quota
--- http: gw_ratelimit_tier free rate=5r/s quota=;
--- emerg: "gw_ratelimit_tier" directive has a quota that is no number followed by /day or /month in



=== TEST 94: gw_ratelimit_tier with a quota without a unit
--- http: gw_ratelimit_tier free rate=5r/s quota=1000;
--- emerg: "gw_ratelimit_tier" directive has a quota that is no number followed by /day or /month in



=== TEST 95: gw_ratelimit_tier with a quota of another unit
--- http: gw_ratelimit_tier free rate=5r/s quota=1000/week;
--- emerg: "gw_ratelimit_tier" directive has a quota that is no number followed by /day or /month in



=== TEST 96: gw_ratelimit_tier with a quota without a number
--- http: gw_ratelimit_tier free rate=5r/s quota=/day;
--- emerg: "gw_ratelimit_tier" directive has a quota that is no number followed by /day or /month in



=== TEST 97: gw_ratelimit_tier with a negative quota
--- http: gw_ratelimit_tier free rate=5r/s quota=-1/day;
--- emerg: "gw_ratelimit_tier" directive has a quota that is no number followed by /day or /month in



=== TEST 98: gw_ratelimit_tier with a quota of 0
--- http: gw_ratelimit_tier free rate=5r/s quota=0/day;
--- emerg: "gw_ratelimit_tier" directive has a quota that is not between 1 and 68719476735 in



=== TEST 99: gw_ratelimit_tier with a quota beyond all numbers
--- http: gw_ratelimit_tier free rate=5r/s quota=68719476736/month;
--- emerg: "gw_ratelimit_tier" directive has a quota that is not between 1 and 68719476735 in



=== TEST 100: gw_ratelimit_tier with two quotas of a day
--- http: gw_ratelimit_tier free rate=5r/s quota=1/day quota=2/day;
--- emerg: "gw_ratelimit_tier" directive has two quotas of the same unit in



=== TEST 101: gw_ratelimit_tier with a quota alone
--- http: gw_ratelimit_tier free quota=1/day;
--- emerg: "gw_ratelimit_tier" directive has no "rate=" in



=== TEST 102: gw_ratelimit_zone without parameters
--- http: gw_ratelimit_zone ;
--- emerg: invalid number of arguments in "gw_ratelimit_zone" directive in



=== TEST 103: gw_ratelimit_zone without a size
--- http: gw_ratelimit_zone buckets;
--- emerg: "gw_ratelimit_zone" directive must look like "gw_ratelimit_zone NAME:SIZE [nodes=N]" in



=== TEST 104: gw_ratelimit_zone without a name
--- http: gw_ratelimit_zone :4m;
--- emerg: "gw_ratelimit_zone" directive must look like "gw_ratelimit_zone NAME:SIZE [nodes=N]" in



=== TEST 105: gw_ratelimit_zone with an empty size
--- http: gw_ratelimit_zone buckets:;
--- emerg: "gw_ratelimit_zone" directive must have a size from 256k to 64g in



=== TEST 106: gw_ratelimit_zone with a size that is too small
--- http: gw_ratelimit_zone buckets:255k;
--- emerg: "gw_ratelimit_zone" directive must have a size from 256k to 64g in



=== TEST 107: gw_ratelimit_zone with a size that is too large
--- http: gw_ratelimit_zone buckets:65g;
--- emerg: "gw_ratelimit_zone" directive must have a size from 256k to 64g in



=== TEST 108: gw_ratelimit_zone with a negative size
--- http: gw_ratelimit_zone buckets:-1;
--- emerg: "gw_ratelimit_zone" directive must have a size from 256k to 64g in



=== TEST 109: gw_ratelimit_zone with a size that is no size
--- http: gw_ratelimit_zone buckets:much;
--- emerg: "gw_ratelimit_zone" directive must have a size from 256k to 64g in



=== TEST 110: gw_ratelimit_zone with no nodes
--- http: gw_ratelimit_zone buckets:4m nodes=0;
--- emerg: "gw_ratelimit_zone" directive takes "nodes=" between 1 and 10000, the least number of gateways in



=== TEST 111: gw_ratelimit_zone with too many nodes
--- http: gw_ratelimit_zone buckets:4m nodes=10001;
--- emerg: "gw_ratelimit_zone" directive takes "nodes=" between 1 and 10000, the least number of gateways in



=== TEST 112: gw_ratelimit_zone with empty nodes
--- http: gw_ratelimit_zone buckets:4m nodes=;
--- emerg: "gw_ratelimit_zone" directive takes "nodes=" between 1 and 10000, the least number of gateways in



=== TEST 113: gw_ratelimit_zone with nodes that are no number
--- http: gw_ratelimit_zone buckets:4m nodes=few;
--- emerg: "gw_ratelimit_zone" directive takes "nodes=" between 1 and 10000, the least number of gateways in



=== TEST 114: gw_ratelimit_zone with an unknown parameter
--- http: gw_ratelimit_zone buckets:4m node=3;
--- emerg: invalid parameter "node=3" of "gw_ratelimit_zone" in



=== TEST 115: gw_ratelimit_zone with too many parameters
--- http: gw_ratelimit_zone buckets:4m nodes=2 nodes=3;
--- emerg: invalid number of arguments in "gw_ratelimit_zone" directive in



=== TEST 116: gw_ratelimit_zone twice
--- http
gw_ratelimit_zone  one:4m;
gw_ratelimit_zone  two:4m;
--- emerg: "gw_ratelimit_zone" directive is duplicate in



=== TEST 117: gw_ratelimit_zone below http
--- location: gw_ratelimit_zone  one:4m;
--- emerg: "gw_ratelimit_zone" directive is not allowed here in



=== TEST 118: gw_ratelimit_zone with a name that is taken
--- http
limit_req_zone     $arg_k zone=buckets:4m rate=1r/s;
gw_ratelimit_zone  buckets:4m;
gw_ratelimit       calls key=$arg_k rate=1r/s;
--- emerg: the shared memory zone "buckets" is already declared for a different use in



=== TEST 119: gw_ratelimit_tiers without parameters
--- http: gw_ratelimit_tiers ;
--- emerg: invalid number of arguments in "gw_ratelimit_tiers" directive in



=== TEST 120: gw_ratelimit_tiers with an empty key
--- http: gw_ratelimit_tiers key=;
--- emerg: "gw_ratelimit_tiers" directive takes "key=", the name of a hash in Redis, of 1 to 512 bytes in



=== TEST 121: gw_ratelimit_tiers with a key that is too long
--- http: gw_ratelimit_tiers key=kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk;
--- emerg: "gw_ratelimit_tiers" directive takes "key=", the name of a hash in Redis, of 1 to 512 bytes in



=== TEST 122: gw_ratelimit_tiers without a key
--- http: gw_ratelimit_tiers refresh=5s;
--- emerg: "gw_ratelimit_tiers" directive has no "key=", the name of a hash in Redis in



=== TEST 123: gw_ratelimit_tiers with a refresh that is too short
--- http: gw_ratelimit_tiers key=gw:tiers refresh=99ms;
--- emerg: "gw_ratelimit_tiers" directive takes "refresh=" between 100ms and 1h in



=== TEST 124: gw_ratelimit_tiers with a refresh that is too long
--- http: gw_ratelimit_tiers key=gw:tiers refresh=61m;
--- emerg: "gw_ratelimit_tiers" directive takes "refresh=" between 100ms and 1h in



=== TEST 125: gw_ratelimit_tiers with an empty refresh
--- http: gw_ratelimit_tiers key=gw:tiers refresh=;
--- emerg: "gw_ratelimit_tiers" directive takes "refresh=" between 100ms and 1h in



=== TEST 126: gw_ratelimit_tiers with a refresh that is no time
--- http: gw_ratelimit_tiers key=gw:tiers refresh=often;
--- emerg: "gw_ratelimit_tiers" directive takes "refresh=" between 100ms and 1h in



=== TEST 127: gw_ratelimit_tiers with two keys
--- http: gw_ratelimit_tiers key=gw:tiers key=gw:others;
--- emerg: invalid or duplicate parameter "key=gw:others" of "gw_ratelimit_tiers" in



=== TEST 128: gw_ratelimit_tiers with two refreshes
--- http: gw_ratelimit_tiers refresh=1s refresh=2s;
--- emerg: invalid or duplicate parameter "refresh=2s" of "gw_ratelimit_tiers" in



=== TEST 129: gw_ratelimit_tiers with an unknown parameter
--- http: gw_ratelimit_tiers gw:tiers;
--- emerg: invalid or duplicate parameter "gw:tiers" of "gw_ratelimit_tiers" in



=== TEST 130: gw_ratelimit_tiers with too many parameters
--- http: gw_ratelimit_tiers key=gw:tiers refresh=1s refresh=2s;
--- emerg: invalid number of arguments in "gw_ratelimit_tiers" directive in



=== TEST 131: gw_ratelimit_tiers twice
--- http
gw_ratelimit_tiers  key=gw:tiers;
gw_ratelimit_tiers  key=gw:others;
--- emerg: "gw_ratelimit_tiers" directive is duplicate in



=== TEST 132: gw_ratelimit_tiers below http
--- location: gw_ratelimit_tiers  key=gw:tiers;
--- emerg: "gw_ratelimit_tiers" directive is not allowed here in



=== TEST 133: gw_ratelimit without parameters
--- location: gw_ratelimit ;
--- emerg: invalid number of arguments in "gw_ratelimit" directive in



=== TEST 134: gw_ratelimit with a name alone
--- location: gw_ratelimit calls;
--- emerg: "gw_ratelimit" directive has no "key=": say whom the limit is for, for example key=$gw_subject in



=== TEST 135: gw_ratelimit without a name
--- location: gw_ratelimit key=$arg_k rate=1r/s;
--- emerg: "gw_ratelimit" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 136: gw_ratelimit with a colon in its name
--- location: gw_ratelimit ca:lls key=$arg_k rate=1r/s;
--- emerg: "gw_ratelimit" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 137: gw_ratelimit with a variable as its name
--- location: gw_ratelimit $arg_n key=$arg_k rate=1r/s;
--- emerg: "gw_ratelimit" directive must have a name of 1 to 64 letters, digits, "-" or "_" in



=== TEST 138: gw_ratelimit without a key
--- location: gw_ratelimit calls rate=1r/s;
--- emerg: "gw_ratelimit" directive has no "key=": say whom the limit is for, for example key=$gw_subject in



=== TEST 139: gw_ratelimit with an empty key
--- location: gw_ratelimit calls key= rate=1r/s;
--- emerg: empty or duplicate parameter "key=" of "gw_ratelimit" in



=== TEST 140: gw_ratelimit with two keys
--- location: gw_ratelimit calls key=$arg_k key=$arg_j rate=1r/s;
--- emerg: empty or duplicate parameter "key=$arg_j" of "gw_ratelimit" in



=== TEST 141: gw_ratelimit without numbers
--- location: gw_ratelimit calls key=$arg_k;
--- emerg: "gw_ratelimit" directive needs either "tier=" or "rate=" in



=== TEST 142: gw_ratelimit with a tier and a rate
--- location: gw_ratelimit calls key=$arg_k tier=$arg_t rate=1r/s;
--- emerg: "gw_ratelimit" directive needs either "tier=" or "rate=" in



=== TEST 143: gw_ratelimit with a burst alone
--- location: gw_ratelimit calls key=$arg_k burst=5;
--- emerg: "gw_ratelimit" directive needs either "tier=" or "rate=" in



=== TEST 144: gw_ratelimit with a tier and a burst
--- location: gw_ratelimit calls key=$arg_k tier=$arg_t burst=5;
--- emerg: "gw_ratelimit" directive takes "burst=" and "quota=" only together with "rate=" in



=== TEST 145: gw_ratelimit with an empty tier
--- location: gw_ratelimit calls key=$arg_k tier=;
--- emerg: empty or duplicate parameter "tier=" of "gw_ratelimit" in



=== TEST 146: gw_ratelimit with two tiers
--- location: gw_ratelimit calls key=$arg_k tier=free tier=gold;
--- emerg: empty or duplicate parameter "tier=gold" of "gw_ratelimit" in



=== TEST 147: gw_ratelimit with a tier that is not defined
--- http: gw_ratelimit_tier  free rate=5r/s;
--- location: gw_ratelimit calls key=$arg_k tier=gold;
--- emerg: "gw_ratelimit" "calls" uses the unknown tier "gold": define it by "gw_ratelimit_tier"



=== TEST 148: gw_ratelimit with a tier that is no name
--- http
gw_ratelimit_tiers  key=gw:tiers;
gw_ratelimit        calls key=$arg_k tier=fr:ee;
--- emerg: "gw_ratelimit" "calls" uses the unknown tier "fr:ee": define it by "gw_ratelimit_tier"



=== TEST 149: gw_ratelimit with a wrong rate
--- location: gw_ratelimit calls key=$arg_k rate=1;
--- emerg: "gw_ratelimit" directive has a rate that is no number followed by r/s, r/m, r/h or r/d in



=== TEST 150: gw_ratelimit with a burst of 0
--- location: gw_ratelimit calls key=$arg_k rate=1r/s burst=0;
--- emerg: "gw_ratelimit" directive has a burst that is no number of at least 1 in



=== TEST 151: gw_ratelimit with an empty error policy
--- location: gw_ratelimit calls key=$arg_k rate=1r/s error=;
--- emerg: "gw_ratelimit" directive takes "error=allow", "error=deny" or "error=local" in



=== TEST 152: gw_ratelimit with an unknown parameter
--- location: gw_ratelimit calls key=$arg_k rate=1r/s dryrun;
--- emerg: invalid parameter "dryrun" of "gw_ratelimit" in



=== TEST 153: gw_ratelimit with off as its key
--- location: gw_ratelimit calls key=off rate=1r/s;
--- emerg: "gw_ratelimit" directive takes no "key=off": to have no limit, write "gw_ratelimit off" in



=== TEST 154: gw_ratelimit with a tier and a quota
--- location: gw_ratelimit calls key=$arg_k tier=free quota=1/day;
--- emerg: "gw_ratelimit" directive takes "burst=" and "quota=" only together with "rate=" in



=== TEST 155: gw_ratelimit with a quota alone
--- location: gw_ratelimit calls key=$arg_k quota=1/day;
--- emerg: "gw_ratelimit" directive needs either "tier=" or "rate=" in



=== TEST 156: gw_ratelimit with an empty rate
--- location: gw_ratelimit calls key=$arg_k rate=;
--- emerg: "gw_ratelimit" directive has a rate that is no number followed by r/s, r/m, r/h or r/d in



=== TEST 157: gw_ratelimit with a wrong quota
--- location: gw_ratelimit calls key=$arg_k rate=1r/s quota=1/week;
--- emerg: "gw_ratelimit" directive has a quota that is no number followed by /day or /month in



=== TEST 158: gw_ratelimit with two rates
--- location: gw_ratelimit calls key=$arg_k rate=1r/s rate=2r/s;
--- emerg: "gw_ratelimit" directive has more than one "rate=" in



=== TEST 159: gw_ratelimit with an empty cost
--- location: gw_ratelimit calls key=$arg_k rate=1r/s cost=;
--- emerg: "gw_ratelimit" directive takes "cost=" from 0 to 1000000000, or of variables in



=== TEST 160: gw_ratelimit with a negative cost
--- location: gw_ratelimit calls key=$arg_k rate=1r/s cost=-1;
--- emerg: "gw_ratelimit" directive takes "cost=" from 0 to 1000000000, or of variables in



=== TEST 161: gw_ratelimit with a cost that is too high
--- location: gw_ratelimit calls key=$arg_k rate=1r/s cost=1000000001;
--- emerg: "gw_ratelimit" directive takes "cost=" from 0 to 1000000000, or of variables in



=== TEST 162: gw_ratelimit with a cost beyond all numbers
--- location: gw_ratelimit calls key=$arg_k rate=1r/s cost=99999999999999999999;
--- emerg: "gw_ratelimit" directive takes "cost=" from 0 to 1000000000, or of variables in



=== TEST 163: gw_ratelimit with a fraction as its cost
--- location: gw_ratelimit calls key=$arg_k rate=1r/s cost=1.5;
--- emerg: "gw_ratelimit" directive takes "cost=" from 0 to 1000000000, or of variables in



=== TEST 164: gw_ratelimit with a cost that is no number
--- location: gw_ratelimit calls key=$arg_k rate=1r/s cost=much;
--- emerg: "gw_ratelimit" directive takes "cost=" from 0 to 1000000000, or of variables in



=== TEST 165: gw_ratelimit with two costs
--- location: gw_ratelimit calls key=$arg_k rate=1r/s cost=1 cost=1;
--- emerg: empty or duplicate parameter "cost=1" of "gw_ratelimit" in



=== TEST 166: gw_ratelimit with another error policy
--- location: gw_ratelimit calls key=$arg_k rate=1r/s error=maybe;
--- emerg: "gw_ratelimit" directive takes "error=allow", "error=deny" or "error=local" in



=== TEST 167: gw_ratelimit with two error policies
--- location: gw_ratelimit calls key=$arg_k rate=1r/s error=deny error=allow;
--- emerg: empty or duplicate parameter "error=allow" of "gw_ratelimit" in



=== TEST 168: gw_ratelimit with an empty policy of empty keys
--- location: gw_ratelimit calls key=$arg_k rate=1r/s empty=;
--- emerg: "gw_ratelimit" directive takes "empty=skip" or "empty=deny" in



=== TEST 169: gw_ratelimit with an unknown policy of empty keys
--- location: gw_ratelimit calls key=$arg_k rate=1r/s empty=allow;
--- emerg: "gw_ratelimit" directive takes "empty=skip" or "empty=deny" in



=== TEST 170: gw_ratelimit with two policies of empty keys
--- location: gw_ratelimit calls key=$arg_k rate=1r/s empty=skip empty=deny;
--- emerg: empty or duplicate parameter "empty=deny" of "gw_ratelimit" in



=== TEST 171: gw_ratelimit with an empty lease
--- location: gw_ratelimit calls key=$arg_k rate=1r/s lease=;
--- emerg: "gw_ratelimit" directive takes "lease=off" or "lease=" from 1% to 50% in



=== TEST 172: gw_ratelimit with a lease of nothing
--- location: gw_ratelimit calls key=$arg_k rate=1r/s lease=0%;
--- emerg: "gw_ratelimit" directive takes "lease=off" or "lease=" from 1% to 50% in



=== TEST 173: gw_ratelimit with a lease that is too large
--- location: gw_ratelimit calls key=$arg_k rate=1r/s lease=51%;
--- emerg: "gw_ratelimit" directive takes "lease=off" or "lease=" from 1% to 50% in



=== TEST 174: gw_ratelimit with a lease in tokens
--- location: gw_ratelimit calls key=$arg_k rate=1r/s lease=10;
--- emerg: "gw_ratelimit" directive takes "lease=off" or "lease=" from 1% to 50% in



=== TEST 175: gw_ratelimit with a lease without a number
--- location: gw_ratelimit calls key=$arg_k rate=1r/s lease=%;
--- emerg: "gw_ratelimit" directive takes "lease=off" or "lease=" from 1% to 50% in



=== TEST 176: gw_ratelimit with a lease that is no number
--- location: gw_ratelimit calls key=$arg_k rate=1r/s lease=ten%;
--- emerg: "gw_ratelimit" directive takes "lease=off" or "lease=" from 1% to 50% in



=== TEST 177: gw_ratelimit with a negative lease
--- location: gw_ratelimit calls key=$arg_k rate=1r/s lease=-1%;
--- emerg: "gw_ratelimit" directive takes "lease=off" or "lease=" from 1% to 50% in



=== TEST 178: gw_ratelimit with two leases
--- location: gw_ratelimit calls key=$arg_k rate=1r/s lease=off lease=1%;
--- emerg: empty or duplicate parameter "lease=1%" of "gw_ratelimit" in



=== TEST 179: gw_ratelimit with a lease in a dry run
--- location: gw_ratelimit calls key=$arg_k rate=1r/s lease=1% dry_run;
--- emerg: "gw_ratelimit" directive takes "lease=" and "dry_run" not together in



=== TEST 180: gw_ratelimit with an empty ban
--- location: gw_ratelimit calls key=$arg_k rate=1r/s ban= after=2;
--- emerg: "gw_ratelimit" directive takes "ban=" between 1s and 366d in



=== TEST 181: gw_ratelimit with a ban that is too short
--- location: gw_ratelimit calls key=$arg_k rate=1r/s ban=999ms after=2;
--- emerg: "gw_ratelimit" directive takes "ban=" between 1s and 366d in



=== TEST 182: gw_ratelimit with a ban that is too long
--- location: gw_ratelimit calls key=$arg_k rate=1r/s ban=367d after=2;
--- emerg: "gw_ratelimit" directive takes "ban=" between 1s and 366d in



=== TEST 183: gw_ratelimit with a ban that is no time
--- location: gw_ratelimit calls key=$arg_k rate=1r/s ban=long after=2;
--- emerg: "gw_ratelimit" directive takes "ban=" between 1s and 366d in



=== TEST 184: gw_ratelimit with two bans
--- location: gw_ratelimit calls key=$arg_k rate=1r/s ban=1m after=2 ban=1m;
--- emerg: empty or duplicate parameter "ban=1m" of "gw_ratelimit" in



=== TEST 185: gw_ratelimit with a ban after nothing
--- location: gw_ratelimit calls key=$arg_k rate=1r/s ban=1m after=;
--- emerg: "gw_ratelimit" directive takes "after=" between 1 and 1000000 in



=== TEST 186: gw_ratelimit with a ban after 0 refusals
--- location: gw_ratelimit calls key=$arg_k rate=1r/s ban=1m after=0;
--- emerg: "gw_ratelimit" directive takes "after=" between 1 and 1000000 in



=== TEST 187: gw_ratelimit with a ban after too many refusals
--- location: gw_ratelimit calls key=$arg_k rate=1r/s ban=1m after=1000001;
--- emerg: "gw_ratelimit" directive takes "after=" between 1 and 1000000 in



=== TEST 188: gw_ratelimit with a ban after no number
--- location: gw_ratelimit calls key=$arg_k rate=1r/s ban=1m after=many;
--- emerg: "gw_ratelimit" directive takes "after=" between 1 and 1000000 in



=== TEST 189: gw_ratelimit with two numbers of refusals
--- location: gw_ratelimit calls key=$arg_k rate=1r/s ban=1m after=2 after=2;
--- emerg: empty or duplicate parameter "after=2" of "gw_ratelimit" in



=== TEST 190: gw_ratelimit with a ban alone
--- location: gw_ratelimit calls key=$arg_k rate=1r/s ban=1m;
--- emerg: "gw_ratelimit" directive takes "ban=" and "after=" only together in



=== TEST 191: gw_ratelimit with refusals and no ban
--- location: gw_ratelimit calls key=$arg_k rate=1r/s after=20;
--- emerg: "gw_ratelimit" directive takes "ban=" and "after=" only together in



=== TEST 192: gw_ratelimit with preauth twice
--- location: gw_ratelimit calls key=$arg_k rate=1r/s preauth preauth;
--- emerg: empty or duplicate parameter "preauth" of "gw_ratelimit" in



=== TEST 193: gw_ratelimit with a value for preauth
--- location: gw_ratelimit calls key=$arg_k rate=1r/s preauth=on;
--- emerg: invalid parameter "preauth=on" of "gw_ratelimit" in



=== TEST 194: gw_ratelimit with dry_run twice
--- location: gw_ratelimit calls key=$arg_k rate=1r/s dry_run dry_run;
--- emerg: empty or duplicate parameter "dry_run" of "gw_ratelimit" in



=== TEST 195: gw_ratelimit with a value for dry_run
--- location: gw_ratelimit calls key=$arg_k rate=1r/s dry_run=on;
--- emerg: invalid parameter "dry_run=on" of "gw_ratelimit" in



=== TEST 196: gw_ratelimit with an unfinished variable
--- location: gw_ratelimit calls key=${arg_k rate=1r/s;
--- emerg: the closing bracket in "arg_k" variable is missing in



=== TEST 197: gw_ratelimit with a variable that nobody defines
--- location: gw_ratelimit calls key=$nobodys rate=1r/s;
--- emerg: unknown "nobodys" variable



=== TEST 198: gw_ratelimit with off and more
--- location: gw_ratelimit off key=$arg_k rate=1r/s;
--- emerg: "gw_ratelimit" directive takes "off" only alone in



=== TEST 199: gw_ratelimit off twice
--- location
gw_ratelimit  off;
gw_ratelimit  off;
--- emerg: "gw_ratelimit" directive takes "off" only alone in



=== TEST 200: gw_ratelimit off before a limit
--- location
gw_ratelimit  off;
gw_ratelimit  calls key=$arg_k rate=1r/s;
--- emerg: "gw_ratelimit" directive takes "off" only alone in



=== TEST 201: gw_ratelimit off behind a limit
--- location
gw_ratelimit  calls key=$arg_k rate=1r/s;
gw_ratelimit  off;
--- emerg: "gw_ratelimit" directive takes "off" only alone in



=== TEST 202: gw_ratelimit twice with one name
--- location
gw_ratelimit  calls key=$arg_k rate=1r/s;
gw_ratelimit  calls key=$arg_k rate=1r/s;
--- emerg: "gw_ratelimit" "calls" is duplicate in



=== TEST 203: gw_ratelimit nine times
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



=== TEST 204: gw_ratelimit with one name and two rates
--- http: gw_ratelimit  calls key=$arg_k rate=2r/s burst=5;
--- location: gw_ratelimit  calls key=$arg_k rate=1r/s burst=5;
--- emerg: "gw_ratelimit" directive has a name used elsewhere with another rate, burst or quota: limits of one name share their buckets in



=== TEST 205: gw_ratelimit with one name and two bursts
--- http: gw_ratelimit  calls key=$arg_k rate=2r/s burst=5;
--- location: gw_ratelimit  calls key=$arg_k rate=2r/s;
--- emerg: "gw_ratelimit" directive has a name used elsewhere with another rate, burst or quota: limits of one name share their buckets in



=== TEST 206: gw_ratelimit with one name and two quotas
--- http
gw_ratelimit_tier  free rate=5r/s;
gw_ratelimit  calls key=$arg_k rate=2r/s quota=1/day;
--- location: gw_ratelimit  calls key=$arg_k rate=2r/s quota=2/day;
--- emerg: "gw_ratelimit" directive has a name used elsewhere with another rate, burst or quota: limits of one name share their buckets in



=== TEST 207: gw_ratelimit with one name and quotas of two units
--- http
gw_ratelimit_tier  free rate=5r/s;
gw_ratelimit  calls key=$arg_k rate=2r/s quota=1/day;
--- location: gw_ratelimit  calls key=$arg_k rate=2r/s quota=1/month;
--- emerg: "gw_ratelimit" directive has a name used elsewhere with another rate, burst or quota: limits of one name share their buckets in



=== TEST 208: gw_ratelimit with one name and a tier here, a rate there
--- http
gw_ratelimit_tier  free rate=5r/s;
gw_ratelimit  calls key=$arg_k rate=2r/s;
--- location: gw_ratelimit  calls key=$arg_k tier=free;
--- emerg: "gw_ratelimit" directive has a name used elsewhere with "tier=" or "rate=", not both: limits of one name share their buckets in



=== TEST 209: gw_ratelimit with one name and a rate here, a tier there
--- http
gw_ratelimit_tier  free rate=5r/s;
gw_ratelimit  calls key=$arg_k tier=free;
--- location: gw_ratelimit  calls key=$arg_k rate=2r/s;
--- emerg: "gw_ratelimit" directive has a name used elsewhere with "tier=" or "rate=", not both: limits of one name share their buckets in



=== TEST 210: gw_ratelimit with one name and two bans
--- http
gw_ratelimit_tier  free rate=5r/s;
gw_ratelimit  calls key=$arg_k rate=2r/s ban=1m after=2;
--- location: gw_ratelimit  calls key=$arg_k rate=2r/s ban=2m after=2;
--- emerg: "gw_ratelimit" directive has a name used elsewhere with another "ban=" or "after=": limits of one name share their bans in



=== TEST 211: gw_ratelimit with one name and two numbers of refusals
--- http
gw_ratelimit_tier  free rate=5r/s;
gw_ratelimit  calls key=$arg_k rate=2r/s ban=1m after=2;
--- location: gw_ratelimit  calls key=$arg_k rate=2r/s ban=1m after=3;
--- emerg: "gw_ratelimit" directive has a name used elsewhere with another "ban=" or "after=": limits of one name share their bans in



=== TEST 212: gw_ratelimit with one name and a ban at one place
--- http
gw_ratelimit_tier  free rate=5r/s;
gw_ratelimit  calls key=$arg_k tier=free ban=1m after=2;
--- location: gw_ratelimit  calls key=$arg_k tier=free;
--- emerg: "gw_ratelimit" directive has a name used elsewhere with another "ban=" or "after=": limits of one name share their bans in



=== TEST 213: gw_ratelimit in an if
--- location
location = /t.txt {
    if ($arg_x) {
        gw_ratelimit  calls key=$arg_k rate=1r/s;
    }
}
--- emerg: "gw_ratelimit" directive is not allowed here in



=== TEST 214: gw_ratelimit without gw_ratelimit_redis
--- location: gw_ratelimit calls key=$arg_k rate=1r/s;
--- no_redis
--- emerg: "gw_ratelimit" needs "gw_ratelimit_redis", the Redis that keeps the buckets



=== TEST 215: gw_ratelimit_headers without parameters
--- location: gw_ratelimit_headers ;
--- emerg: invalid number of arguments in "gw_ratelimit_headers" directive in



=== TEST 216: gw_ratelimit_headers with an unknown value
--- location: gw_ratelimit_headers on;
--- emerg: invalid value "on" in



=== TEST 217: gw_ratelimit_headers twice
--- location
gw_ratelimit_headers  off;
gw_ratelimit_headers  both;
--- emerg: "gw_ratelimit_headers" directive is duplicate in



=== TEST 218: gw_address_prefix without parameters
--- location: gw_address_prefix ;
--- emerg: invalid number of arguments in "gw_address_prefix" directive in



=== TEST 219: gw_address_prefix of 0
--- location: gw_address_prefix 0;
--- emerg: "gw_address_prefix" directive must be between 1 and 128 in



=== TEST 220: gw_address_prefix with too many bits
--- location: gw_address_prefix 129;
--- emerg: "gw_address_prefix" directive must be between 1 and 128 in



=== TEST 221: gw_address_prefix with a slash
--- location: gw_address_prefix /64;
--- emerg: "gw_address_prefix" directive invalid number in



=== TEST 222: gw_address_prefix twice
--- location
gw_address_prefix  64;
gw_address_prefix  56;
--- emerg: "gw_address_prefix" directive is duplicate in



=== TEST 223: without any limit no Redis is needed
--- config
    gw_ratelimit  off;
--- request
GET /t.txt
--- response_body
hello



=== TEST 224: eight limits in one place
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



=== TEST 225: names of 64 characters, of all kinds
--- http_config
    gw_ratelimit_tier  A-z_0-9nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnx rate=5r/s;
--- config
    gw_ratelimit  Z-a_9-0nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn key=$arg_k tier=A-z_0-9nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnx;
--- request
GET /t.txt
--- response_body
hello



=== TEST 226: a tier is defined behind its use
--- http_config
    gw_ratelimit       calls key=$arg_k tier=free;
    gw_ratelimit_tier  free burst=3 rate=5r/s;
--- config
    set $x 1;
--- request
GET /t.txt
--- response_body
hello



=== TEST 227: one name, with the same numbers in another spelling
--- http_config
    gw_ratelimit  calls key=$arg_k rate=60r/m burst=1;
--- config
    gw_ratelimit  calls key=$arg_j rate=1r/s;
--- request
GET /t.txt
--- response_body
hello



=== TEST 228: the largest numbers
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
RateLimit-Policy: "a";q=1000000;w=1, "b";q=26062;w=2251756800, "c";q=999999999999999;w=2251799814



=== TEST 229: sentinels
--- http_config
    gw_ratelimit_redis  redis://joe:x@127.0.0.1,[::1]:26380/3 sentinel=main sentinel_auth=a:b timeout=10s;
--- config
    gw_ratelimit  off;
--- request
GET /t.txt
--- response_body
hello



=== TEST 230: a cluster
--- http_config
    gw_ratelimit_redis  redis://127.0.0.1:7000,127.0.0.1:7001 timeout=1ms cluster;
--- config
    gw_ratelimit  off;
--- request
GET /t.txt
--- response_body
hello



=== TEST 231: TLS
--- http_config
    gw_ratelimit_redis  rediss://127.0.0.1/0 server_name=redis.example.com;
--- config
    gw_ratelimit  off;
--- request
GET /t.txt
--- response_body
hello



=== TEST 232: a host that only a resolver may find
--- http_config
    resolver  127.0.0.1:1;
    gw_ratelimit_redis  redis://redis..invalid;
--- config
    gw_ratelimit  off;
--- request
GET /t.txt
--- response_body
hello



=== TEST 233: all parameters
--- http_config
    gw_ratelimit_zone   buckets:256k nodes=10000;
    gw_ratelimit_tiers  refresh=100ms key=gw:conf:tiers;
    gw_ratelimit_tier   free quota=5/month rate=5r/s burst=3 quota=68719476735/day;
--- config
    gw_address_prefix     56;
    gw_ratelimit_headers  both;
    gw_ratelimit  a key=$gw_address tier=free cost=0 error=local empty=skip preauth lease=50% ban=366d after=1000000;
    gw_ratelimit  c key=c$arg_k tier=free lease=off dry_run error=allow cost=1;

    location = /other.txt {
        gw_ratelimit  b after=1 ban=1s lease=1% empty=deny error=deny cost=1000000000 rate=1r/s quota=7/day key=b$arg_k;
        gw_ratelimit  d key=$arg_k rate=1r/s cost=$arg_c;
    }
--- request
GET /t.txt
--- response_body
hello



=== TEST 234: a tier that may be in Redis
--- http_config
    gw_ratelimit_tiers  key=gw:conf:tiers refresh=1h;
    gw_ratelimit_tier   default rate=5r/s;
--- config
    gw_ratelimit  calls key=$arg_k tier=gold;
--- request
GET /t.txt
--- response_body
hello



=== TEST 235: the zone and the tiers without any limit
--- http_config
    gw_ratelimit_zone   buckets:64g;
    gw_ratelimit_tiers  key=gw:conf:tiers;
--- config
    gw_ratelimit  off;
--- request
GET /t.txt
--- response_body
hello



=== TEST 236: one name, with one tier and another
--- http_config
    gw_ratelimit_tier  free rate=5r/s;
    gw_ratelimit_tier  gold rate=9r/s;
    gw_ratelimit       calls key=$arg_k tier=free lease=10%;
--- config
    gw_ratelimit  calls key=$arg_j tier=gold dry_run;
--- request
GET /t.txt
--- response_body
hello



=== TEST 237: the example of the documentation
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
