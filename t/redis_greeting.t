# Copyright (C) The nginx gateway modules authors

# What a Redis says to the greeting and to commands, told by a false one: who
# does not greet as expected gets no command, a deadline holds for all that is
# done for one request, and a node that refuses is left.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use GWAuthService;
use GWRedis;
use GWTest;


my $upstream = GWTest::Server->new('upstream');
my $passport = key_file('passport.pem');
my $fake = GWRedis::Fake->new;
my $other = GWRedis::Fake->new;

my $url = '';

my $gw = auth_gateway(upstream => $upstream, start => 0,
                      edit => sub { s/REDIS_URL/$url/ },
                      http => <<'END', server => <<'END');
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


sub get {
    return $gw->get('/', headers => ['X-API-Key' => 'key-0123456789abcdef'],
                    @_);
}


# starts it with this URL; most cases need no waiting for the connection

sub with {
    my ($text, $code) = @_;

    $url = $text;
    $gw->write_conf;
    $gw->start;

    eval { $code->(); 1 } or fail("died: $@");

    $gw->stop('TERM');

    for my $server ($fake, $other) {
        $server->says(map { $_ => undef }
                      qw(AUTH SELECT PING HGETALL EVALSHA EVAL));
        $server->forget;
    }
}


my $found = '*2' . "\r\n\$7\r\nsubject\r\n\$1\r\na";


for my $case (
    ['AUTH', '-WRONGPASS no', 'AUTH failed: WRONGPASS'],
    ['SELECT', '-ERR DB index is out of range',
     'SELECT failed: ERR DB index is out of range'],
    ['PING', '-LOADING Redis is loading the dataset in memory',
     'PING failed: LOADING Redis is loading the dataset in memory'],
) {
    my ($command, $text, $message) = @$case;

    subtest("no command after a failed $command" => sub {
        $fake->says($command => $text);

        with('redis://u:p@127.0.0.1:' . $fake->port . '/3 timeout=10s', sub {
            is(get()->{status}, 503) for 1 .. 3;

            wait_for(sub { $fake->count($command) > 1 || !get() },
                     'another greeting');

            is($fake->count('HGETALL'), 0, 'no command was sent');
            like($gw->error_log, qr/\Q$message/, 'the reason');
            unlike($gw->error_log, qr/u:p\@/, 'no credential');
        });
    });
}


subtest('commands wait for the greeting' => sub {
    $fake->holds('PING');

    with('redis://127.0.0.1:' . $fake->port . '/3 timeout=10s', sub {
        my $socket = send_request($gw->port, 'GET', '/',
                                  headers => ['X-API-Key' => 'key-012345678']);

        waiting($gw, 1);
        wait_for(sub { $fake->count('PING') }, 'PING');
        is($fake->count('HGETALL'), 0, 'not before it was answered');

        $fake->says(HGETALL => $found);
        $fake->frees('PING');
        is(read_response($socket, 30)->{status}, 200, 'then it is sent');
        is($fake->count('HGETALL'), 1);
    });
});


for my $code ('READONLY You can\'t write against a read only replica.',
              'LOADING Redis is loading the dataset in memory',
              'MASTERDOWN Link with MASTER is down',
              'ERR Error running script (call to f_0): @user_script:1: '
              . '-READONLY You can\'t write against a read only replica.')
{
    my ($word) = $code =~ /([A-Z]{4,})/;

    subtest("$word: the next host is tried" => sub {
        $fake->says(HGETALL => "-$code");
        $other->says(HGETALL => $found);

        with('redis://127.0.0.1:' . $fake->port . ',127.0.0.1:'
             . $other->port . ' timeout=10s', sub {
            is(get()->{status}, 503, 'refused');

            wait_for(sub { get()->{status} == 200 }, 'the other one');

            is($fake->count('HGETALL'), 1, 'the first is not asked again');
            is($fake->clients, 0, 'nor connected to');
        });
    });
}


subtest('other errors are replies, the connection stays' => sub {
    with('redis://127.0.0.1:' . $fake->port . ' timeout=10s', sub {

        for my $code ('OOM command not allowed', 'NOPERM no', 'WRONGTYPE x',
                      'NOSCRIPT none', 'ERR READONLYISH')
        {
            $fake->says(HGETALL => "-$code");
            is(get()->{status}, 503, $code);
        }

        is($fake->count('PING'), 1, 'one connection');
    });
});


subtest('a node that does not answer in time is not asked for a while' => sub {
    $fake->says(HGETALL => '');

    with('redis://127.0.0.1:' . $fake->port . ' timeout=50ms', sub {
        my $n = 0;

        # five, but those that came before the connection was there

        wait_for(sub {
            get();
            $n++;
            $gw->error_log =~ /is too slow and not asked for/;
        }, 'it to be said');

        cmp_ok($n, '>=', 5, 'after five at the earliest');

        my ($asked, $from) = ($fake->count('HGETALL'), time);

        get() for 1 .. 20;

        cmp_ok($fake->count('HGETALL') - $asked, '<=', 2 + time - $from,
               'not asked, but for a probe');

        $fake->says(HGETALL => $found);

        wait_for(sub { get()->{status} == 200 }, 'a probe that is answered');
        wait_for(sub { !grep { get()->{status} != 200 } 1 .. 5 },
                 'all to be answered');
        pass('it closes it');
    });
});


subtest('a probe whose client left does not block the next one' => sub {
    $fake->says(HGETALL => '');

    with('redis://127.0.0.1:' . $fake->port . ' timeout=300ms', sub {
        get() for 1 .. 6;

        my $asked = $fake->count('HGETALL');

        wait_for(sub {
            my $socket = send_request($gw->port, 'GET', '/', headers =>
                                      ['X-API-Key' => 'key-0123456789']);
            my $probed = 0;

            for (1 .. 20) {
                $probed ||= $fake->count('HGETALL') > $asked;
            }

            leave($socket);
            return $probed;
        }, 'a probe');

        $fake->says(HGETALL => $found);

        my $began = time;

        wait_for(sub { get()->{status} == 200 }, 'the next probe', 9);
        ok(1, 'within the time after which a probe counts as lost');
    });
});

nothing_wrong($gw);
done_testing();
