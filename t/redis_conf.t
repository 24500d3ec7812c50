# Copyright (C) The nginx gateway modules authors

# What "nginx -t" says about the directives that tell where Redis is.  They
# share one parser; no message may hold a part of an URL or a password.

use strict;
use warnings;

use Test::More;

use GWAuthService;
use GWRedis;
use GWTest;


my $dir = run_dir();
my $line = '';

GWRedis::certificates($dir);

open(my $fh, '>', "$dir/empty.pem") or die "$!\n";
close($fh);

my $gw = auth_gateway(start => 0, edit => sub { s/REDIS/$line/ },
                      http => 'REDIS', server => '');


sub said {
    my ($text) = @_;

    $line = "gw_auth_redis $text;";
    $gw->write_conf;

    return $gw->test;
}


my $files = "certificate=$dir/client.pem certificate_key=$dir/client.key";

for my $text (
    'redis://127.0.0.1', 'redis://127.0.0.1:6380/7', 'redis://[::1]:6380/0',
    'redis://:s3cret@127.0.0.1', 'redis://u:s3cret@127.0.0.1/0',
    'redis://u%40:s3cr%25et@127.0.0.1', 'redis://127.0.0.1/',
    'redis://127.0.0.1,127.0.0.2:1,[::1],localhost/3',
    '"redis://u:s3c,ret@/x@127.0.0.1,127.0.0.2"',
    'unix:/run/redis.sock', 'unix:/run/redis.sock:3', 'unix:/run/a,b.sock',
    'redis://127.0.0.1 timeout=1ms', 'redis://127.0.0.1 timeout=10s',
    'redis://127.0.0.1 sentinel=mymaster',
    'redis://127.0.0.1/3 sentinel=mymaster sentinel_auth=s3cret',
    'redis://127.0.0.1 sentinel=mymaster sentinel_auth=u:s3cr%25et',
    'redis://127.0.0.1,127.0.0.2:7000 cluster',
    'redis://u:s3cret@127.0.0.1 cluster timeout=20ms',
    'rediss://127.0.0.1', "rediss://:s3cret\@127.0.0.1 ca=$dir/ca.pem",
    "rediss://localhost:6380 ca=$dir/ca.pem $files server_name=redis.test",
    "rediss://127.0.0.1 ca=$dir/ca.pem cluster",
    "rediss://127.0.0.1 sentinel=m ca=$dir/ca.pem",
    'redis://' . join(',', ('127.0.0.1') x 16),
) {
    my ($log, $ok) = said($text);

    ok($ok, $text) or diag($log);
}


my $name = 'a' x 256;

for my $case (
    ['', qr/invalid number of arguments/],
    ['127.0.0.1:6379', 'it must look like'],
    ['http://s3cret', 'it must look like'],
    ['redis:/s3cret', 'it must look like'],
    ['unix:', 'it must look like'],
    ['redis://', 'no host'],
    ['rediss://', 'no host'],
    ['redis://u:s3cret@', 'no host'],
    ['redis://u:s3cret@/0', 'no host'],
    ['redis://127.0.0.1,', 'no host'],
    ['redis://,127.0.0.1', 'no host'],
    ['redis://127.0.0.1,,127.0.0.2', 'no host'],
    ['redis://:6379', 'no host'],
    ['redis://s3cret@127.0.0.1', 'a user without a password'],
    ['redis://s3cret:@127.0.0.1', 'a user without a password'],
    ['redis://u:s3cret%@127.0.0.1', 'must be written "%25"'],
    ['redis://u:s3cret%2@127.0.0.1', 'must be written "%25"'],
    ['redis://s3cret%zz:p@127.0.0.1', 'must be written "%25"'],
    ['redis://127.0.0.1:0', 'invalid port'],
    ['redis://127.0.0.1:65536', 'invalid port'],
    ['redis://127.0.0.1:s3cret', 'invalid port'],
    ['redis://127.0.0.1,127.0.0.2:s3cret', 'invalid port'],
    ['redis://127.0.0.1/s3cret', 'the database must be a number'],
    ['redis://127.0.0.1/-1', 'the database must be a number'],
    ['redis://127.0.0.1/1/2', 'the database must be a number'],
    ['redis://127.0.0.1/0?s3cret=1', 'the database must be a number'],
    ['redis://127.0.0.1?s3cret=1', 'invalid host'],
    ['unix:/run/redis.sock:s3cret', 'the database must be a number'],
    ['unix:/' . 'a' x 200, 'too long path'],
    ['redis://[::1', 'invalid host'],
    ['redis://[s3cret]', 'invalid IPv6 address'],
    ['redis://*', 'invalid host'],
    ['redis://0.0.0.0', 'invalid host'],
    ['"redis://s3 cret"', 'invalid host'],
    ['"redis://s3\"cret"', 'invalid host'],
    ["redis://$name", 'the name of a host is too long'],
    ['redis://' . join(',', ('127.0.0.1') x 17), 'more than 16 hosts'],
    ['redis://s3cret.invalid',
     'host number 1 in the URL of "gw_auth_redis" was not found'],
    ['redis://127.0.0.1,s3cret.invalid',
     'host number 2 in the URL of "gw_auth_redis" was not found'],

    ['redis://127.0.0.1 s3cret', 'takes one URL and, behind it, only'],
    ['redis://127.0.0.1 redis://s3cret', 'takes one URL and, behind it'],
    ['redis://127.0.0.1 Cluster', 'takes one URL and, behind it'],
    ['redis://127.0.0.1 timeout', 'takes one URL and, behind it'],
    map({ ["redis://127.0.0.1 timeout=$_",
           'takes "timeout=" once, between 1ms and 10s'] } ''),
    map({ ["redis://127.0.0.1 timeout=$_",
           'takes a "timeout=" between 1ms and 10s'] }
        qw(0 -1 s3cret 10001ms 11s 11)),
    ['redis://127.0.0.1 timeout=1s timeout=1s', 'takes "timeout=" once'],
    ['redis://127.0.0.1 sentinel=', 'takes "sentinel=" once'],
    ['redis://127.0.0.1 sentinel=a sentinel=b', 'takes "sentinel=" once'],
    ['redis://127.0.0.1 cluster cluster', 'takes "cluster" once'],
    ['redis://127.0.0.1 sentinel=a sentinel_auth=',
     'takes "sentinel_auth=" once'],
    ['redis://127.0.0.1 sentinel=a sentinel_auth=s3cret:',
     'a user without a password'],
    ['redis://127.0.0.1 sentinel=a sentinel_auth=s3cret%',
     'must be written "%25"'],

    ['redis://127.0.0.1 cluster sentinel=a',
     'takes either "sentinel=" or "cluster"'],
    ['redis://127.0.0.1/0 cluster',
     'takes no database together with "cluster"'],
    ['unix:/run/redis.sock cluster', 'only with redis:// or rediss://'],
    ['unix:/run/redis.sock sentinel=a', 'only with redis:// or rediss://'],
    ['redis://127.0.0.1 sentinel_auth=s3cret',
     'only together with "sentinel="'],
    ['redis://127.0.0.1 cluster sentinel_auth=s3cret',
     'only together with "sentinel="'],
    map({ ["redis://127.0.0.1 $_=s3cret", 'only with rediss://'],
          ["unix:/run/redis.sock $_=s3cret", 'only with rediss://'],
          ["rediss://127.0.0.1 $_=", "takes \"$_=\" once"] }
        qw(ca certificate certificate_key server_name)),
    ["rediss://127.0.0.1 certificate=$dir/client.pem",
     'needs "certificate=" and "certificate_key=" together'],
    ["rediss://127.0.0.1 certificate_key=$dir/client.key",
     'needs "certificate=" and "certificate_key=" together'],
    ["rediss://127.0.0.1 ca=$dir/none.pem", "none.pem"],
    ["rediss://127.0.0.1 ca=$dir/empty.pem", "empty.pem"],
    ["rediss://127.0.0.1 ca=$dir/ca.key", "ca.key"],
    ["rediss://127.0.0.1 certificate=$dir/none.pem "
     . "certificate_key=$dir/client.key", 'none.pem'],
    ["rediss://127.0.0.1 certificate=$dir/client.pem "
     . "certificate_key=$dir/none.key", 'none.key'],
    ["rediss://127.0.0.1 certificate=$dir/client.pem "
     . "certificate_key=$dir/good.key", 'key values mismatch'],
    ['rediss://127.0.0.1 "server_name=s3 cret"', 'takes a "server_name="'],
    ["rediss://127.0.0.1 server_name=$name", 'takes a "server_name="'],

    ['redis://127.0.0.1; gw_auth_redis redis://127.0.0.1', 'is duplicate'],
) {
    my ($text, $message) = @$case;
    my ($log, $ok) = said($text);

    $message = qr/\Q$message/ if !ref $message;

    ok(!$ok, "refused: $text") or diag($log);
    like($log, $message, 'and it is said why');
    unlike($log, qr/s3.?cret/, 'not by repeating it');
    like($log, qr/gw_auth_redis|[.](?:pem|key)/, 'and where');
}


subtest('a name that is not known needs a resolver' => sub {
    $line = 'resolver 127.0.0.1:1; gw_auth_redis redis://s3cret.invalid;';
    $gw->write_conf;

    my ($log, $ok) = $gw->test;

    ok($ok) or diag($log);
});

done_testing();
