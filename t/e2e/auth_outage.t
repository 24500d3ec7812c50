# Copyright (C) The nginx gateway modules authors

# The auth service is not there yet, is killed, hangs and flaps under load:
# who has a JWT is let in all the time, who has another token at once or
# told to come again, who has logged out never; and all is as before by
# itself.

use strict;
use warnings;

use Test::More;

use GWAuthService;
use GWE2E;
use GWTest;


my $kafka = GWTest::Server->new('mock-kafka');
my $redis = GWTest::Server->new('redis');
my $upstream = GWTest::Server->new('upstream');
my $service = GWAuthService->new;

# an answer is kept for a second, so that the auth service matters; Redis is
# not what is tested

my $gw = GWTest::Gateway->new(
    redis => $redis, kafka => $kafka, upstream => $upstream,
    auth => $service, start => 0,
    edit => sub {
        s/worker_processes  auto/worker_processes  2/;
        s/cache=30s/cache=1s timeout=5s/;
        s/timeout=50ms/timeout=10s/g;
        s/location \/account\/ \{\n\K/<<'END'/e;
            add_header  X-Degraded  $gw_auth_degraded always;
END
    });

my %tokens = map { $_ => [] } qw(jwt opaque out forged unknown);

for my $i (1 .. 20) {
    my %who = (sub => "user-$i", plan => 'gold');
    my $jwt = token(%who, scp => 'account');
    my $out = token(%who, scp => 'account', jti => "out-$i");

    $service->knows($jwt, %who, scope => 'account');
    $service->knows("opaque-$i-0123456789", %who, scope => 'account');
    $service->says($out, '{"active":false}');

    push @{$tokens{jwt}}, $jwt;
    push @{$tokens{out}}, $out;
    push @{$tokens{opaque}}, "opaque-$i-0123456789";
    push @{$tokens{unknown}}, "unknown-$i-0123456789";
    push @{$tokens{forged}}, token(%who, scp => 'account', -key => 'forged',
                                   -kid => 'rsa');
}

# most requests are of those who may

my @kinds = (('jwt') x 4, ('opaque') x 3, 'out', 'forged', 'unknown');

# what may be answered

my %calm = (jwt => '200', opaque => '200', out => '401', forged => '401',
            unknown => '401');
my %down = (jwt => '200', opaque => '200|503', out => '401',
            forged => '401|503', unknown => '401|503');


sub request_of {
    my ($i) = @_;

    my $kind = $kinds[$i % @kinds];
    my $token = $tokens{$kind}[int($i / @kinds) % 20];

    return [ "/account/$kind", token => $token ];
}


sub kind { return (split m{/}, $_[0]{path})[2] }


sub answered {
    my ($title, $may, @r) = @_;

    my %bad;

    for my $r (@r) {
        my $kind = kind($r);

        $bad{"$kind $r->{status}"}++
            if $r->{status} !~ /\A(?:$may->{$kind})\z/
               || $r->{status} == 503 && !$r->{headers}{'retry-after'};
    }

    is_deeply(\%bad, {}, "$title: " . @r . ' requests');
}


# under load: "order" is called for each hundred of responses, with their
# number and all of them, and returns whether it is the last

sub under_load {
    my ($n, $order) = @_;

    my ($i, $next, $end) = (0, 0, 0);

    return load($gw, $n, sub {
        return !$end && request_of($i++);

    }, sub {
        return if @_ < $next || $end;

        $end = $order->($next / 100, @_);
        $next += 100;
    });
}


sub degraded { return grep { ($_->{headers}{'x-degraded'} // '') eq '1' } @_ }


# of those who were let in by the fallback, and of those who were not

sub enough {
    return degraded(@_) >= 100
           && 20 <= grep { kind($_) eq 'opaque' && $_->{status} == 503 } @_;
}


sub works_again {
    my ($title) = @_;

    wait_for(sub {
        my @r = at_once($gw, map { request_of($_) } 0 .. 199);

        !degraded(@r) && !grep { $_->{status} == 503 } @r;
    }, 'all to be well', 60);

    answered("$title: all is well", \%calm,
             at_once($gw, map { request_of($_) } 0 .. 199));
}


# not there when the gateway starts: there are no keys, so nobody knows

$service->signal('KILL');
$gw->start;

my @r = at_once($gw, map { [ $_->[0], %{$_->[1]} ] } map { (
    [ '/orders/', { token => $tokens{jwt}[$_] } ],
    [ '/account/', { token => $tokens{jwt}[$_] } ],
    [ '/account/', { token => $tokens{opaque}[$_] } ],
) } 0 .. 9);

is(scalar(grep { $_->{status} == 503 && $_->{headers}{'retry-after'} } @r),
   30, 'not there yet: 503');

$service->start;
wait_for(sub {
    $gw->get('/orders/', token => $tokens{jwt}[0])->{status} == 200
}, 'the keys', 60);
works_again('started');

my @workers = workers_of($gw, 2);

answered('calm', \%calm, under_load(200, sub { $_[0] == 4 }));


# killed under load

@r = under_load(200, sub {
    my ($turn, @so_far) = @_;

    $service->signal('KILL') if $turn == 2;

    return enough(@so_far);
});

answered('killed', \%down, @r);
is(scalar(grep { kind($_) ne 'jwt' } degraded(@r)), 0, 'JWTs only');

@r = at_once($gw, map { [ '/orders/', token => $_ ] } @{$tokens{jwt}});
is(scalar(grep { $_->{status} == 200 } @r), 20, 'what needs no answer');

# what the upstream gets is as good as ever

@r = at_once($gw, [ '/account/', token => $tokens{jwt}[0] ]);
my $jwks = $gw->get('/.well-known/jwks.json')->{body};
my $passport = verify_passport(($upstream->requests)[-1]{headers}{'x-passport'},
                               $jwks, audience => 'account');

is($passport->{claims}{sub}, 'user-1', 'the passport');
ok($passport->{claims}{deg}, 'is marked');

$service->start;
works_again('killed and back');


# hangs under load

@r = under_load(200, sub {
    my ($turn, @so_far) = @_;

    $service->signal('STOP') if $turn == 2;

    return enough(@so_far);
});

answered('hangs', \%down, @r);
is(scalar(grep { kind($_) ne 'jwt' } degraded(@r)), 0, 'JWTs only');

$service->signal('CONT');
works_again('hung and back');


# flaps

my @orders = (
    sub { $service->does(introspect => '500') },
    sub { $service->does(introspect => 'ok') },
    sub { $service->signal('STOP') },
    sub { $service->signal('CONT') },
    sub { $service->does(introspect => 'partial') },
    sub { $service->does(introspect => 'ok') },
    sub { $service->signal('KILL') },
    sub { $service->start },
);

@r = under_load(200, sub {
    my ($turn) = @_;

    return 1 if $turn == 2 * @orders;

    $orders[$turn % @orders]->();

    return 0;
});

answered('flaps', \%down, @r);
works_again('steady');

is_deeply([ workers_of($gw, 2) ], \@workers, 'the same workers');
is_deeply([ trouble_in($gw) ], [], 'no trouble');

done_testing();
