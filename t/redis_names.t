# Copyright (C) The nginx gateway modules authors

# Names of Redis: looked up without blocking before each connection, by the
# "resolver"; several addresses, several hosts; a name server that fails.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Test::More;

use GWAuthService;
use GWRedis;
use GWTest;


my $redis = GWTest::Server->new('redis');
my $upstream = GWTest::Server->new('upstream');
my $dns = GWRedis::Dns->new;
my $key = 'key-0123456789abcdef';
my $port = $redis->port;
my ($url, $resolver) = ('', '');

$redis->command('HSET', 'gw:key:' . sha256_hex($key), 'subject', 'a');

my $gw = auth_gateway(upstream => $upstream, start => 0,
                      edit => sub { s/REDIS_URL/$url/; s/RESOLVER/$resolver/ },
                      http => <<'END', server => <<'END');
    RESOLVER

    gw_auth_zone   identities:1m;
    gw_auth_redis  REDIS_URL;

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


my $server = 'resolver 127.0.0.1:' . $dns->port
             . ' ipv6=off valid=1s; resolver_timeout 3s;';


sub get {
    return $gw->get('/', headers => ['X-API-Key' => $key]);
}


sub answers {
    my $title = shift;

    wait_for(sub { get()->{status} == 200 }, $title);
    ok(1, $title);
}


sub disconnect {
    $redis->command(qw(CLIENT KILL TYPE normal));
}


sub with {
    my $code;

    ($url, $resolver, $code) = @_;
    $url .= ' timeout=10s' if $url !~ / /;

    $gw->write_conf;

    my $offset = length($gw->error_log);

    $gw->start;
    eval { $code->(sub { substr($gw->error_log, $offset) }); 1 }
        or fail("died: $@");
    $gw->stop('TERM');
}


subtest('a name that only the resolver knows' => sub {
    $dns->knows('redis.test', '127.0.0.1');

    with("redis://redis.test:$port", $server, sub {
        my $log = shift;

        answers('found');
        like($log->(), qr/\A(?!.*\[(?:err|warn|alert)\])/s, 'no trouble');

        my $asked = $dns->asked;

        get() for 1 .. 5;
        is($dns->asked, $asked, 'not asked while connected');

        disconnect();
        answers('again');
    });
});


subtest('a name that moves' => sub {

    # nothing listens there

    $dns->knows('redis.test', '127.0.0.2');

    with("redis://redis.test:$port", $server, sub {
        is(get()->{status}, 503, 'nobody is there');

        $dns->knows('redis.test', '127.0.0.1');
        answers('moved');
    });
});


subtest('the last known address serves when the name server does not' => sub {
    $dns->knows('redis.test', '127.0.0.1');

    with("redis://redis.test:$port", $server, sub {
        my $log = shift;

        answers('found');
        $dns->knows('redis.test', undef);

        wait_for(sub {
            disconnect();
            get();
            return $log->() =~ /could not be resolved/;
        }, 'it is said');

        like($log->(), qr/\[warn\] .* redis\.test:$port could not be resol/);
        like($log->(), qr/: Host not found\), 1 old addresses are left/);
        answers('still');

        $dns->knows('redis.test', 'silent');

        wait_for(sub {
            disconnect();
            get();
            return $log->() =~ /\[info\].*closed/;
        }, 'closed');

        answers('a name server that says nothing');
    });
});


subtest('a silent name server, with the default timeouts' => sub {
    $dns->knows('redis.test', '127.0.0.1');

    with("redis://redis.test:$port timeout=200ms",
         $server =~ s/resolver_timeout.*//r, sub {
        answers('found');
        $dns->knows('redis.test', 'silent');
        $redis->stop;

        wait_for(sub { get()->{status} == 503 }, 'Redis is gone');

        $redis->start;
        $redis->command('HSET', 'gw:key:' . sha256_hex($key), 'subject', 'a');
        answers('found again');
    });
});


subtest('a name unknown so far' => sub {
    $dns->knows('later.test', undef);

    with("redis://later.test:$port", $server, sub {
        is(get()->{status}, 503, 'not found');

        $dns->knows('later.test', '127.0.0.1');
        answers('found');
    });
});


subtest('of several addresses those that fail are passed by' => sub {
    $dns->knows('several.test', ['127.0.0.2', '127.0.0.3', '127.0.0.1']);

    with("redis://several.test:$port", $server, sub {
        for (1 .. 5) {
            answers('found');
            disconnect();
        }
    });
});


subtest('of several hosts those that fail are passed by' => sub {
    my $closed = free_port();

    $dns->knows('gone.test', undef);

    with("redis://127.0.0.1:$closed,gone.test,[::1]:$closed,"
         . "localhost:$closed,127.0.0.1:$port", $server, sub {
        answers('found');
    });

    with("redis://127.0.0.1:$closed,127.0.0.2:$port,127.0.0.1:$port", '',
         sub { answers('without a resolver') });
});


subtest('the client ends while the name server is silent' => sub {
    $dns->knows('silent.test', 'silent');

    with("redis://silent.test:$port", $server, sub {
        my $asked = $dns->asked;

        my $socket = send_request($gw->port, 'GET', '/',
                                  headers => ['X-API-Key' => $key]);

        waiting($gw, 1);
        leave($socket);

        is($gw->get('/status')->{status}, 200, 'nothing is blocked');

        $gw->reload(old => 1);
        ok(1, 'an old worker does not wait for the answer');
    });
});


subtest('start and end of workers' => sub {
    $dns->knows('redis.test', '127.0.0.1');

    with("redis://redis.test:$port", $server, sub {
        answers('found');

        for (1 .. 3) {
            $gw->reload(old => 1);
            answers('after a reload');
        }
    });
});

nothing_wrong($gw);
done_testing();
