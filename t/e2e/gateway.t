# Copyright (C) The nginx gateway modules authors

# The gateway of conf/gateway.conf in front of real servers: who gets in, what
# the upstream sees, who is limited, and that every request is billed once.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64 qw(decode_base64url encode_base64url);
use Test::More;
use Time::HiRes qw(sleep time);

use GWE2E;
use GWTest;


my $BURST = 10;     # of the tier "free"
my $RATE = 5;

my $kafka = broker();
my $redis = GWTest::Server->new('redis');
my $upstream = GWTest::Server->new('upstream');

# All spellings of X-Passport have to reach us, not be dropped by nginx; and
# a busy machine may be late by more than the 50ms of the file.

my $gw = GWTest::Gateway->new(
    redis => $redis, kafka => $kafka, upstream => $upstream,
    edit => sub {
        s/timeout=50ms/timeout=10s/;
        s/^http \{\n\K/<<'END'/me;
    underscores_in_headers  on;
    ignore_invalid_headers  off;

END
        s/^    server \{\n\K/<<'END'/me;
        location /open/ {
            gw_auth       off;
            gw_ratelimit  off;
            gw_usage      off;

            proxy_pass    http://orders;
        }

END
    });

my $sent = 0;       # requests that have a line in the access log

note('Kafka is ' . $kafka->kind);

my $gold = token(sub => 'bob', plan => 'gold', scp => 'orders:read');


# one request; its line in the access log and what the upstream saw of it

sub ask {
    my ($path, %arg) = @_;

    my $seen = () = $upstream->requests;
    my $r = $gw->get($path, %arg);

    $r->{line} = (requests_in($gw, ++$sent))[-1];
    ($r->{seen}, my @more) = ($upstream->requests)[$seen .. $seen + 1];
    $r->{seen} = undef if $more[0];

    return $r;
}


# names of headers that some program may take for X-Passport

sub passports {
    my ($seen) = @_;

    return grep { tr/a-z0-9/-/cr eq 'x-passport' }
           sort keys %{$seen->{headers}};
}


sub claims {
    my ($jwt) = @_;

    return decode_json(decode_base64url((split /\./, $jwt)[1]));
}


# a signature by OpenSSL's own tool: libjwt has no EdDSA

sub token_ed {
    my $input = unsigned_token(
        { alg => 'EdDSA', kid => 'ed' },
        { iss => 'https://accounts.example.com', aud => 'gateway',
          sub => 'erin', plan => 'gold', exp => time + 3600 | 0 });

    chop $input;

    my $file = GWTest::write_file('signed', $input);
    my $key = key_file('ed.pem');

    my $sig = `openssl pkeyutl -sign -rawin -inkey '$key' -in '$file'`;

    $? == 0 or die "cannot sign\n";

    return "$input." . encode_base64url($sig);
}


# callers that get in

my $started = time;
my $jwks = $gw->get('/.well-known/jwks.json');

$sent++;

is($jwks->{status}, 200, 'the key set is published');
is($jwks->{headers}{'content-type'}, 'application/jwk-set+json',
   'as a key set');
is_deeply([ map { $_->{kid} } @{$jwks->{json}{keys}} ], [ '2026-11' ],
          'with the key of the configuration');
is_deeply([ grep { exists $_->{d} } @{$jwks->{json}{keys}} ], [],
          'and nothing secret');

my %passport;
my %callers = (
    bob => $gold,
    alice => token(sub => 'alice', plan => 'free', scp => [ 'a', 'b' ]),
    carol => token(sub => 'carol', plan => 'gold', -alg => 'ES256',
                   -key => 'ec', aud => [ 'shop', 'gateway' ]),
    dave => token(sub => 'dave', plan => 'gold', -exp => '+20'),
    erin => token_ed(),
);

for my $name (sort keys %callers) {
    my $r = ask("/orders/$name", token => $callers{$name}, headers => [
        'X-Trace' => '1',
        'Cookie' => 'a=b; c=d',
        'X-Passports' => 'not a passport',
        'X-Multi' => 'a', 'X-Multi' => 'b',
        'Accept' => '*/*',
        map { ("X-Filler-$_" => $_) } 1 .. 30,
    ]);

    is($r->{status}, 200, "$name gets in");
    is_deeply([ @{$r->{line}}{qw(status subject auth limit)} ],
              [ 200, $name, 'ok', 'passed' ], "$name in the access log");

    my %headers = %{$r->{json}{headers}};

    is_deeply($r->{seen}, $r->{json}, "what the upstream saw of $name");
    is($r->{json}{uri}, "/orders/$name", 'the path');

    $passport{$name} = delete $headers{'x-passport'};

    is_deeply(\%headers, {
        'host' => 'orders', 'x-trace' => '1', 'cookie' => 'a=b; c=d',
        'x-passports' => 'not a passport', 'x-multi' => 'a, b',
        'accept' => '*/*',
        map { ("x-filler-$_" => $_) } 1 .. 30,
    }, "$name: all headers but the credential");

    my ($policy, $left) = $name eq 'alice'
        ? ('"calls";q=10;w=2, "calls-day";q=10000;w=86400',
           '"calls";r=9;t=1, "calls-day";r=9999;t=')
        : ('"calls";q=2000;w=2, "calls-month";q=50000000;w=',
           '"calls";r=1999;t=1, "calls-month";r=49999999;t=');

    like($r->{headers}{'ratelimit-policy'}, qr/\A\Q$policy\E\d*\z/,
         'RateLimit-Policy');
    like($r->{headers}{ratelimit}, qr/\A\Q$left\E\d+\z/, 'RateLimit');
}


# what another implementation says of their passports, with the published keys

my %ids;

for my $name (sort keys %callers) {
    my $p = verify_passport($passport{$name}, $jwks->{body});
    my $claims = $p->{claims};
    my $credential = claims($callers{$name});

    is_deeply($p->{header}, { alg => 'ES256', typ => 'passport+jwt',
                              kid => '2026-11' },
              "PyJWT accepts the passport of $name");

    my %times = map { $_ => delete $claims->{$_} } qw(iat nbf exp jti);

    $ids{$times{jti}} = 1;

    is_deeply($claims, {
        iss => 'gateway', aud => 'orders', sub => $name, ver => 1,
        src => 'jwt', lvl => 'low',
        tier => $credential->{plan},
        $name eq 'alice' ? (scope => 'a b') : (),
        $name eq 'bob' ? (scope => 'orders:read') : (),
    }, "$name: claims");

    cmp_ok($times{exp} - $times{iat}, '<=', 60, "$name: at most 60 s");
    cmp_ok($times{exp}, '<=', $credential->{exp},
           "$name: not longer than the credential");
    cmp_ok($times{exp}, '>', $times{iat}, "$name: for some time");
    ok($times{iat} >= int $started - 1 && $times{iat} <= time
       && $times{nbf} <= $times{iat}, "$name: from now on");
}

is(keys %ids, keys %callers, 'passports have names of their own');


# and that this is an opinion: it refuses others

{
    no warnings 'redefine';
    local *Test::More::diag = sub { };

    my ($head, $body, $sig) = split /\./, $passport{bob};
    my $forged = encode_base64url(encode_json({ %{claims($passport{bob})},
                                                sub => 'eve' }));

    ok(!verify_passport("$head.$forged.$sig", $jwks->{body}),
       'a passport that was changed is refused');
    ok(!verify_passport($passport{bob}, $jwks->{body}, audience => 'other'),
       'and so is one for somebody else');
}


# faked passports, in all spellings

my $fake = $passport{alice};
my @spellings = ('X-Passport', 'x-passport', 'X-PASSPORT', 'X_Passport',
                 'x_passport', 'X.Passport', 'X~Passport', 'x-PASSPORT');

for my $names ((map { [ $_ ] } @spellings), [ 'X-Passport', 'X-Passport' ],
               [ @spellings ])
{
    my @fakes = map { ($_ => $fake) } @$names;
    my @headers = (Before => '1', @fakes, After => '2');

    my $r = ask('/orders/faked', token => $gold, headers => \@headers);
    my $p = verify_passport($r->{json}{headers}{'x-passport'} // '',
                            $jwks->{body});

    is_deeply([ passports($r->{seen}) ], [ 'x-passport' ],
              "@$names: one passport arrives");
    is($p->{claims}{sub}, 'bob', 'ours');
    is_deeply([ @{$r->{seen}{headers}}{qw(before after)} ], [ 1, 2 ],
              'and what stood around the fake');

    $r = ask('/open/faked', headers => \@headers);

    is($r->{status}, 200, 'without authentication');
    is_deeply([ passports($r->{seen}) ], [], "@$names: nothing arrives");
    is_deeply([ @{$r->{seen}{headers}}{qw(before after)} ], [ 1, 2 ],
              'but what stood around it');

    $r = ask('/orders/faked-only', headers => \@headers);

    is($r->{status}, 401, 'a fake is no credential');
}


# callers that do not

my ($head, $body, $sig) = split /\./, $gold;

my %refused = (
    'anonymous' => [ 'missing' ],
    'another scheme' =>
        [ 'missing', Authorization => 'Basic YWxpY2U6c2VjcmV0' ],
    'forged' => [ 'bad_signature', token(sub => 'bob', plan => 'gold',
                                         -key => key_file('forged.pem'),
                                         -kid => 'rsa') ],
    'unknown key' => [ 'unknown_key', token(sub => 'bob', plan => 'gold',
                                            -key => 'forged') ],
    'expired' => [ 'expired', token(sub => 'bob', plan => 'gold',
                                    -exp => '-60') ],
    'not yet valid' => [ 'not_yet_valid',
                         token(sub => 'bob', plan => 'gold',
                               nbf => 600 + time | 0) ],
    'wrong audience' => [ 'wrong_audience',
                          token(sub => 'bob', plan => 'gold',
                                aud => 'elsewhere') ],
    'wrong issuer' => [ 'wrong_issuer',
                        token(sub => 'bob', iss => 'https://evil.example') ],
    'alg none' => [ 'bad_algorithm',
                    unsigned_token({ alg => 'none', typ => 'JWT' },
                                   claims($gold)) ],
    'alg none, signature kept' =>
        [ 'bad_algorithm', unsigned_token({ alg => 'none', kid => 'rsa' },
                                          claims($gold), $sig) ],
    'HS256 by the RSA public key' =>
        [ 'bad_algorithm', token(sub => 'bob', plan => 'gold',
                                 -alg => 'HS256', -kid => 'rsa',
                                 -key => key_file('rsa.pub.pem')) ],
    'no expiry' => [ 'missing_expiry', token(sub => 'bob', -exp => undef) ],
    'no subject' => [ 'bad_claim', token(plan => 'gold') ],
    'claims changed' =>
        [ 'bad_signature', join '.', $head, encode_base64url(encode_json({
              %{claims($gold)}, sub => 'eve' })), $sig ],
    'signature cut' => [ undef, substr($gold, 0, -4) ],
    'a passport' => [ undef, $passport{bob} ],
    'empty' => [ 'malformed', Authorization => 'Bearer ' ],
    'garbage' => [ 'malformed', 'garbage' ],
    'dots' => [ 'malformed', '..' ],
    'not base64' => [ 'malformed', "$head.!.$sig" ],
    'not JSON' => [ 'malformed', "$head.bm8gSlNPTg.$sig" ],
    'a list' => [ 'malformed', "$head.W10.$sig" ],
    'long' => [ undef, join '.', ('A' x 2000) x 3 ],
);

for my $name (sort keys %refused) {
    my ($reason, @rest) = @{$refused{$name}};
    my $bearer = @rest == 1 || $name eq 'empty';

    @rest = (Authorization => "Bearer $rest[0]") if @rest == 1;

    my $r = ask('/orders/refused', headers => \@rest);
    my $line = $r->{line};

    is($r->{status}, 401, "$name: 401");
    is($line->{auth}, $reason // $line->{auth}, "$name: the log says why");
    is_deeply([ @{$line}{qw(subject tier limit upstream)} ], [ ('-') x 4 ],
              "$name: nobody, and not limited");
    is($r->{headers}{'www-authenticate'},
       'Bearer realm="gateway"' . ($bearer ? ', error="invalid_token"' : ''),
       "$name: WWW-Authenticate");
    is($r->{headers}{'content-type'}, 'application/problem+json',
       "$name: problem+json");
    is_deeply($r->{json}, {
        type => 'about:blank', title => 'Unauthorized', status => 401,
        detail => $bearer ? 'The credential is not valid'
                          : 'A credential is required',
        request_id => $line->{request},
    }, "$name: the body tells no more");
    ok(!$r->{seen}, "$name: the upstream saw nothing");
}

for my $two ([ 'garbage', $gold ], [ $gold, 'garbage' ]) {
    my $r = ask('/orders/refused',
                headers => [ map { (Authorization => "Bearer $_") } @$two ]);

    like($r->{status}, qr/\A40[01]\z/, 'two credentials are one too many');
    ok(!$r->{seen}, 'the upstream saw nothing');
}


# state of a request does not last for the next one

{
    my $fh = IO::Socket::INET->new('127.0.0.1:' . $gw->port);

    print $fh "GET /orders/first HTTP/1.1\r\nHost: gateway\r\n"
              . "Authorization: Bearer $gold\r\n\r\n"
              . "GET /orders/second HTTP/1.1\r\nHost: gateway\r\n"
              . "Connection: close\r\n\r\n";

    my $text = do { local $/; <$fh> };
    my @statuses = $text =~ /^HTTP\/1\.1 (\d+)/mg;

    is("@statuses", '200 401', 'a second request of a connection is checked');

    $sent += 2;
}


# limits

# A machine that is slow lets tokens come back meanwhile, so a round tells
# how many may have; and there are more rounds until one was fast.

sub burst {
    my ($name) = @_;

    my $token = token(sub => $name, plan => 'free');
    my @r = at_once($gw, map { [ "/orders/$name", token => $token ] }
                             1 .. 2 * $BURST);
    $sent += @r;

    my ($to) = sort { $b <=> $a } map { $_->{to} } @r;
    my $passed = grep { $_->{status} == 200 } @r;
    my $back = int($RATE * ($to - $r[0]{from}));

    ok($passed >= $BURST && $passed <= $BURST + $back,
       "$name: $passed of " . @r . " pass, $back tokens may have come back");

    return ($token, $back, $passed, @r);
}

my ($token, $back, $passed, @r);

for my $round (1 .. 50) {
    ($token, $back, $passed, @r) = burst("free$round");
    last if $back == 0;
}

SKIP: {
    skip('the machine is too slow to send a burst at once', 1) if $back;
    is($passed, $BURST, 'exactly the burst passes at once');
}

# one that Redis has refused: those that are refused from memory are not told
# of the quota

my ($limited) = grep {
    $_->{status} == 429 && $_->{headers}{'ratelimit-policy'} =~ /day/
} @r;
my $limited_at = $limited->{to};
my $retry = $limited->{headers}{'retry-after'};

is_deeply([ sort { $a <=> $b } keys %{{ map { $_->{status} => 1 } @r }} ],
          [ 200, 429 ], 'all others are told that it is too much');
like($retry, qr/\A[1-9]\z/, 'Retry-After');
is($limited->{headers}{'ratelimit-policy'},
   '"calls";q=10;w=2, "calls-day";q=10000;w=86400', 'RateLimit-Policy');
like($limited->{headers}{ratelimit},
     qr/\A"calls";r=0;t=$retry, "calls-day";r=\d+;t=\d+\z/, 'RateLimit');
is($limited->{headers}{'content-type'}, 'application/problem+json',
   'problem+json');
is_deeply([ @{$limited->{json}}{qw(status title violated-policies)} ],
          [ 429, 'Too Many Requests', [ 'calls' ] ], 'the body');
like($limited->{json}{type}, qr/#quota-exceeded\z/, 'the type of the problem');

is(scalar(grep { $_->{uri} eq $r[0]{path} } $upstream->requests), $passed,
   'the upstream saw those that passed');

is(ask('/orders/others', token => $gold)->{status}, 200,
   'others are not limited by that');


# Retry-After is a promise: one request, when its time has come

wait_for(sub { time >= $limited_at + $retry }, 'the time to retry');

is(ask('/orders/again', token => $token)->{status}, 200,
   'it passes after Retry-After');


# and what comes back is no more than the rate

{
    my $name = 'steady';
    my $t = token(sub => $name, plan => 'free');
    my @done = load($gw, 2, sub {
        my $n = grep { $_->{status} == 200 } @_;

        return $n < $BURST + 5 && [ "/orders/$name", token => $t ];
    });

    my $n = grep { $_->{status} == 200 } @done;
    my $seconds = $done[-1]{to} - $done[0]{from};

    $sent += @done;

    ok(!grep({ $_->{status} != 200 && $_->{status} != 429 } @done),
       'a steady caller gets 200 and 429 only');
    cmp_ok($n, '<=', $BURST + $RATE * $seconds,
           "$n passed of " . @done . ' in no less than it takes');
}


# the log and Kafka

my @lines = requests_in($gw, $sent);

is(@lines, $sent, 'every request has a line in the access log');

# what nginx does not take for a request, no handler sees

my @metered = grep { $_->{uri} =~ m{\A/orders/} && $_->{status} != 400 }
              @lines;
my %used = map { $_->{usage} => 1 } @metered;

ok(!exists $used{'-'}, 'every request to the API has an id');
is(keys %used, @metered, 'no two have the same');
is(scalar(grep { $_->{usage} ne '-' } @lines), @metered, 'no other has one');

is_deeply([ event_problems($gw, $kafka) ], [],
          'every request is in Kafka once: ' . @metered . ' events');

$gw->stop;

is_deeply([ event_problems($gw, $kafka) ], [], 'and it stays so at the end');
is_deeply([ trouble_in($gw) ], [], 'no alert in the error log');

my $logs = $gw->error_log . $gw->access_log;

is_deeply([ grep { index($logs, $_) >= 0 }
            map { (split /\./, $_)[2] } values %callers, values %passport ],
          [], 'nor a credential in any log');

done_testing();
