# Copyright (C) The nginx gateway modules authors

# The configurations that users start with pass "nginx -t", and mistakes in
# them are told by the name of the directive and what is wrong.

use strict;
use warnings;

use Test::More;

use GWTest;


# the configuration of README.md, and what it leaves out, or to defaults that
# are files outside of our folder

sub readme {
    my ($text) = GWTest::slurp("$GWTest::ROOT/README.md")
        =~ /^```nginx\n(load_module.*?)^```$/ms or die "README.md\n";

    $text .= "\npid  logs/nginx.pid;\n" if $text !~ /^pid /m;
    $text .= "\nevents {\n}\n" if $text !~ /^events \{/m;

    $text =~ s/^http \{\n\K/    access_log  logs\/access.log;\n/m
        if $text !~ /^ +access_log /m;
    $text =~ s/^http \{\n\K/    upstream orders { server 127.0.0.1:8081; }\n/m
        if $text !~ /^ +upstream orders /m;

    return $text;
}


sub gateway {
    my ($name, %arg) = @_;

    my $gw = GWTest::Gateway->new(name => $name, start => 0, %arg);
    my $conf = $gw->dir . '/conf';

    # as its comments say, the key before the one that signs

    system('cp', key_file('passport-old.pem'), "$conf/passport-2026-10.pem");

    return $gw;
}


for ([ 'gateway.conf', gateway('file') ],
     [ 'README.md', gateway('readme', conf => readme()) ])
{
    my ($name, $gw) = @$_;
    my ($said, $ok) = $gw->test;

    ok($ok, "$name is accepted") or diag($said);
    unlike($said, qr/\[(?:warn|error|crit|alert|emerg)\]/,
           "$name: nothing to complain of");
}


# what to replace in gateway.conf, by what, and what is said

my $gw = gateway('mistakes');

my $keys = 'uri=/_accounts_keys refresh=10m stale=24h cooldown=30s';
my $limits = 'gw_ratelimit_redis';
my $redis = 'redis://127.0.0.1:6379';

my @mistakes = (
    [ 'rate=5r/s', 'rate=5', 'gw_ratelimit_tier', 'rate' ],
    [ 'rate=5r/s', 'rate=0r/s', 'gw_ratelimit_tier', 'rate' ],
    [ 'burst=10 ', 'burst=-1 ', 'gw_ratelimit_tier', 'burst' ],
    [ 'quota=10000/day', 'quota=10', 'gw_ratelimit_tier', 'quota' ],
    [ 'tier   gold', 'tier   free', 'gw_ratelimit_tier', 'duplicate' ],
    [ "$limits  redis://", "$limits  http://", $limits, 'redis://' ],
    [ "$limits  $redis/0", "$limits  $redis/none", $limits, 'database' ],
    [ "$limits  $redis", "$limits  redis://127.0.0.1:0", $limits, 'port' ],
    [ "$limits  $redis/0 timeout=50ms", "$limits  $redis/0 timeout=1h",
      $limits, 'timeout' ],
    [ $limits, '#', $limits, 'needs' ],
    [ 'gw_auth_redis', '#', 'gw_auth_redis', 'needs' ],
    [ 'gw_auth_zone', '#', 'gw_auth_zone', 'needs' ],
    [ 'identities:32m', 'identities:32k', 'gw_auth_zone', '1m' ],
    [ 'fallback    accounts', 'fallback    partners', 'fallback',
      'partners' ],
    [ 'uri=/_introspect', 'uri=/_nowhere', 'introspect', '/_nowhere' ],
    [ 'accounts partners', 'accounts sessions', 'gw_auth', 'introspected' ],
    [ 'subject     prefix=partner:;', '', 'gw_auth_provider', 'subject' ],
    [ 'key=gw:revoked ', '', 'gw_auth_revocations', 'key=' ],
    [ 'tier=$gw_tier;', 'tier=sil/ver;', 'gw_ratelimit', 'sil/ver' ],
    [ 'key=$gw_subject ', '', 'gw_ratelimit', 'key=' ],
    [ 'jwks  ', '#', 'gw_auth_provider', 'jwks' ],
    [ $keys, 'file=missing.json', 'jwks',
      'missing.json' ],
    [ $keys, 'file=gateway.conf', 'jwks',
      'gateway.conf' ],
    [ $keys, 'file=passport-2026-11.pem', 'jwks',
      'passport-2026-11.pem' ],
    [ 'RS256 ES256', 'RS256 none', 'algorithms', 'none' ],
    [ 'audience    gateway;', '', 'gw_auth_provider', 'audience' ],
    [ 'auth       accounts', 'auth       account', 'gw_auth', 'account' ],
    [ $keys, 'uri=/_nowhere', 'jwks', '/_nowhere' ],
    [ '2026-11 passport-2026-11.pem', '2026-11 accounts.jwks.json',
      'gw_passport_key', 'accounts.jwks.json' ],
    [ '2026-11 passport-2026-11.pem', '2026-11 missing.pem',
      'gw_passport_key', 'missing.pem' ],
    [ 'gw_passport_key', '#', 'gw_passport_key', 'need' ],
    [ 'audience=orders ', '', 'gw_passport', 'audience=' ],
    [ 'ttl=60s', 'ttl=60h', 'gw_passport', 'ttl' ],
    [ ':9092 topic', ':0 topic', 'gw_usage_kafka', '127.0.0.1:0' ],
    [ 'topic=gw.usage', 'topic=gw/usage', 'gw_usage_kafka', 'gw/usage' ],
    [ 'lz4', 'zip', 'gw_usage_kafka_set', 'compression.codec' ],
    [ 'compression', 'compresion', 'gw_usage_kafka_set',
      'compresion.codec' ],
    [ 'gw_usage_kafka  ', '#', 'gw_usage_kafka', 'needs' ],
    [ 'gw_usage_journal  ', '#', 'gw_usage_journal', 'needs' ],
    [ 'full=drop', 'full=wait', 'gw_usage_journal', 'full=reject' ],
    [ 'size=4g', 'size=4', 'gw_usage_journal', 'size=' ],
    [ 'gw_usage_units  1', 'gw_usage_units  few', 'gw_usage_units',
      'integer' ],
    [ 'gw_usage      on', 'gw_usage      maybe', 'gw_usage', 'maybe' ],
);

for (@mistakes) {
    my ($from, $to, $directive, $why) = @$_;

    $gw->edit(sub { s/\Q$from\E/$to/ or die "\"$from\" is not there\n" });

    my ($said, $ok) = $gw->test;
    my ($emerg) = $said =~ /\[emerg\] (.*)/;
    my $name = "$from -> $to" =~ s/#/off/r;

    ok(!$ok, "$name is not accepted");
    like($emerg // $said, qr/"$directive[" ]/, "$name: names the directive");
    like($emerg // $said, qr/\Q$why\E/, "$name: says why");
}

done_testing();
