# Copyright (C) The nginx gateway modules authors

# An issuer changes its keys under load, without saying so before: tokens of
# the new key are good from the first one on, those of a key that is gone are
# refused, and a dead key server is not noticed.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use GWE2E;
use GWTest;


my $AT_ONCE = 16;
my $EACH = 120;         # requests with a key, at least

my $kafka = broker();
my $redis = GWTest::Server->new('redis');
my $upstream = GWTest::Server->new('upstream');
my $auth = GWTest::Server->new('auth-service');

publish('rsa');

my $gw = GWTest::Gateway->new(
    redis => $redis, kafka => $kafka, upstream => $upstream, auth => $auth,
    edit => sub {
        s/worker_processes  auto/worker_processes  2/;
        s/timeout=50ms/timeout=10s/;
        s/refresh=10m stale=24h cooldown=30s/refresh=1h cooldown=1s/;
    });

my %ALG = (rsa => 'RS256', ec => 'ES256', forged => 'RS256');
my $key = 'rsa';
my $client = 0;


# the keys that the issuer shows from now on

sub publish {
    my @names = @_;

    my $list = join ',', map {
        GWTest::slurp(key_file("$_.jwks.json"))
            =~ /"keys"\s*:\s*\[(.*)\]/s or die "no keys in $_.jwks.json\n";
        $1;
    } @names;

    GWTest::write_file('jwks.json', qq({"keys":[$list]}\n));
    rename(run_dir() . '/jwks.json', $auth->dir . '/jwks.json')
        or die "rename: $!\n";
}


# no two tokens are alike: nothing is known from before

sub fresh {
    return token(-alg => $ALG{$key}, -key => $key, -kid => $key,
                 sub => 'client' . $client++, plan => 'gold',
                 scp => 'orders:read');
}


sub run {
    my ($how_many, %arg) = @_;

    my $n = 0;
    my @r = load($gw, $AT_ONCE, sub {
        return $n++ < $how_many ? [ "/orders/$n", token => fresh() ] : undef;
    });

    my %status;
    $status{$_->{status}}++ for @r;

    return \%status;
}


is_deeply(run($EACH), { 200 => $EACH }, 'the first key');

my $last = token(-alg => 'RS256', -key => 'rsa', -kid => 'rsa',
                 sub => 'last', plan => 'gold');

is($gw->get('/orders/1', token => $last)->{status}, 200, 'a token to keep');

# signed with at once; each change is later than "cooldown" after the last

my $changed = time - 2;

my @changes = (
    [ 'ec', 'rsa', 'ec' ],
    [ 'forged', 'ec', 'forged' ],
    [ 'rsa', 'rsa' ],
);

for my $change (@changes) {
    my ($new, @all) = @$change;

    wait_for(sub { time - $changed > 1.5 }, 'the cooldown to end');

    publish(@all);
    $key = $new;

    is_deeply(run($EACH), { 200 => $EACH },
              "signed with $new, published: @all");

    my $good = grep { $_ eq 'rsa' } @all;

    is($gw->get('/orders/1', token => $last)->{status}, $good ? 200 : 401,
       "$new: a token of the first key is good as long as its key is");

    $changed = time;
}

$auth->signal('KILL');
is_deeply(run($EACH), { 200 => $EACH }, 'the key server is dead');

my $metrics = $gw->get('/gw/metrics')->{body};

like($metrics, qr/^gw_auth_keys_fetched_total\{provider="accounts"\} [4-9]$/m,
     'no more fetches than changes, by both workers');
like($metrics, qr/^gw_auth_decisions_total\{provider="accounts",
                  result="unknown_key"\}[ ]1$/mx,
     'one token was refused');

$gw->stop;

is_deeply([ trouble_in($gw) ], [], 'no alert in the error log');

done_testing();
