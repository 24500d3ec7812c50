# Copyright (C) The nginx gateway modules authors

# Redis over TLS: who is believed, who is not, and that nothing, above all no
# password, is sent to the latter.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Test::More;

use GWAuthService;
use GWRedis;
use GWTest;


my $upstream = GWTest::Server->new('upstream');
my $dir = run_dir();
my $key = 'key-0123456789abcdef';
my (%port, %socket, %own);

GWRedis::certificates($dir);
chmod(0755, $dir);

my $text = '';

my $gw = auth_gateway(upstream => $upstream, start => 0,
                      edit => sub { s/REDIS/$text/ },
                      http => <<'END', server => <<'END');
    REDIS;

    gw_auth_zone  identities:1m;

    gw_auth_provider partners {
        api_key  header=X-API-Key cache=0;
        subject  prefix=partner:;
    }
END
    location / {
        gw_auth     partners;
        proxy_pass  http://127.0.0.1:8081;
    }
END


# one Redis for each certificate; "plain" is what a unix socket is for

sub redis {
    my ($name, $certificate, @options) = @_;

    $port{$name} = free_port();
    $socket{$name} = "$dir/$name.sock";

    GWRedis::child(sub {
        exec('setpriv', '--pdeathsig', 'KILL', 'redis-server', '--port', 0,
             '--tls-port', $port{$name}, '--bind', '127.0.0.1',
             '--unixsocket', $socket{$name}, '--dir', $dir, '--save', '',
             '--logfile', "$dir/$name.log", '--requirepass', 'open-sesame',
             '--tls-cert-file', "$dir/$certificate.pem",
             '--tls-key-file', "$dir/$certificate.key",
             '--tls-ca-cert-file', "$dir/ca.pem",
             '--tls-auth-clients', 'no', @options) or die "redis: $!\n";
    });

    wait_for(sub { -S $socket{$name} }, "redis $name");

    cli($name, 'HSET', 'gw:key:' . sha256_hex($key), 'subject', $name);

    # more than a record of TLS and a read of ours

    cli($name, 'HSET', 'gw:key:' . sha256_hex("$key-large"), 'subject', $name,
        'scope', 'x' x 100_000);
}


sub cli {
    my ($name, @words) = @_;

    $own{$name}++;

    open(my $fh, '-|', 'redis-cli', '--no-auth-warning', '-a', 'open-sesame',
         '-s', $socket{$name}, @words) or die "redis-cli: $!\n";

    return do { local $/; <$fh> };
}


sub connected {
    return (cli($_[0], 'CLIENT', 'LIST') =~ tr/\n//) - 1;
}


# how often others than we gave a password

sub asked {
    my ($calls) = cli($_[0], 'INFO', 'commandstats')
                      =~ /^cmdstat_auth:calls=(\d+)/m;

    return $calls - $own{$_[0]};
}


sub get {
    return $gw->get('/', headers => ['X-API-Key' => $key], @_);
}


sub with {
    my ($options, $code) = @_;

    $text = "gw_auth_redis $options";
    $gw->write_conf;

    my $offset = length($gw->error_log);

    $gw->start;
    eval { $code->(sub { substr($gw->error_log, $offset) }); 1 }
        or fail("died: $@");
    $gw->stop('TERM');
}


redis($_, $_) for qw(good named expired alien);
redis('mutual', 'good', '--tls-auth-clients', 'yes');

my $plain = GWRedis::Fake->new;

my $login = ':open-sesame@127.0.0.1';
my $ca = "ca=$dir/ca.pem timeout=10s";
my $client = "certificate=$dir/client.pem certificate_key=$dir/client.key";


for my $case (
    ['an address in the certificate', 'good', $ca],
    ['a name given', 'named', "$ca server_name=redis.test"],
    ['a certificate of ours', 'mutual', "$ca $client"],
    ['one that is not asked for', 'good', "$ca $client"],
) {
    my ($title, $name, $options) = @$case;

    subtest("good: $title" => sub {
        with("rediss://$login:$port{$name} $options", sub {
            my $log = shift;

            is(who(get()), "200 partner:$name ok", 'answered') for 1 .. 20;
            is(who($gw->get('/', headers => ['X-API-Key' => "$key-large"])),
               '401 - bad_claim', 'a large reply, too');
            is(connected($name), 1, 'by one connection');
            unlike($log->(), qr/\[(?:err|crit|alert|warn)\w*\]/, 'no trouble');
        });
    });
}


subtest('good: the database, and who resumes reading' => sub {
    cli('good', '-n', 5, 'HSET', 'gw:key:' . sha256_hex($key), 'subject',
        'five');

    with("rediss://$login:$port{good}/5 $ca", sub {
        is(who(get()), '200 partner:five ok');
    });
});


for my $case (
    ['a certificate for a name alone', 'named', $ca,
     'has a certificate without its address'],
    ['another name', 'named', "$ca server_name=other.test",
     'has a certificate for another name'],
    ['an expired certificate', 'expired', $ca,
     "has a certificate that can't be trusted: certificate has expired"],
    ['a certificate of another CA', 'alien', $ca,
     "has a certificate that can't be trusted: unable to"],
    ['a CA of which the system knows nothing', 'good', 'timeout=10s',
     "has a certificate that can't be trusted"],
) {
    my ($title, $name, $options, $message) = @$case;

    subtest("bad: $title" => sub {
        my $asked = asked($name);

        with("rediss://$login:$port{$name} $options", sub {
            my $log = shift;

            # the connection of the start, then each one that a request begins

            for my $n (1 .. 3) {
                is(get()->{status}, 503, 'refused');
            }

            wait_for(sub { get(); $log->() =~ /\Q$message/ }, 'the reason');

            is(asked($name), $asked, 'no password was sent');
            is(() = $log->() =~ /^.* \[(?!info|notice)(?!.* timed out,).*$/mg,
               1, 'one line');
            unlike($log->(), qr/open-sesame/, 'without the password');
        });
    });
}


subtest('bad: no certificate of ours' => sub {
    my $asked = asked('mutual');

    with("rediss://$login:$port{mutual} $ca", sub {
        my $log = shift;

        is(get()->{status}, 503, 'refused') for 1 .. 3;
        is(asked('mutual'), $asked, 'no password was sent');

        like($log->(), qr/certificate required|SSL_write\(\) failed/,
             'the reason');
        is(() = $log->() =~ /^.* \[(?!info|notice)(?!.* timed out,).*$/mg,
               1, 'one line');
    });
});


subtest('bad: a Redis without TLS' => sub {
    with("rediss://$login:" . $plain->port . " $ca", sub {
        my $log = shift;

        is(get()->{status}, 503, 'refused');

        # it may as well wait for the end of what is no line to it

        wait_for(sub {
            get();
            $log->() =~ /does not speak it|could not be reached in time/;
        }, 'the reason');

        is($plain->count('AUTH'), 0, 'no password was sent');
    });
});


subtest('bad: TLS where none is expected' => sub {
    with("redis://$login:$port{good} timeout=10s", sub {
        is(get()->{status}, 503, 'refused');
    });
});


subtest('a reload, and a Redis that goes away and comes back' => sub {
    with("rediss://$login:$port{good} $ca", sub {
        is(get()->{status}, 200);

        $gw->reload(old => 1);
        is(get()->{status}, 200, 'after a reload');

        cli('good', 'CLIENT', 'KILL', 'TYPE', 'normal');
        wait_for(sub { get()->{status} == 200 }, 'another connection');
    });
});

nothing_wrong($gw, 'open-sesame');
done_testing();
