# Copyright (C) The nginx gateway modules authors

# Ways to a Redis: users, passwords, databases and sockets, at one of its own.

use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::Nginx::Socket 'no_plan';
use GwRatelimit;
use GWTest ();


my $dir = tempdir(CLEANUP => 1);
my $owner = $$;

$ENV{TEST_NGINX_SOCKET} = "$dir/redis.sock";

my $port = $ENV{TEST_NGINX_OWN} = GWTest::free_port();
my $redis = fork() // die "fork: $!\n";

if ($redis == 0) {
    exec('setpriv', '--pdeathsig', 'KILL',
         'redis-server', '--port', $port, '--bind', '127.0.0.1',
         '--unixsocket', "$dir/redis.sock", '--dir', $dir, '--save', '',
         '--logfile', "$dir/log", '--requirepass', 'open sesame')
        or warn "setpriv: $!\n";
    POSIX::_exit(1);
}

END {
    if ($redis && $$ == $owner) {
        my $status = $?;

        kill('KILL', $redis);
        waitpid($redis, 0);

        $? = $status;
    }
}

wait_for(sub { slurp("$dir/log") =~ /Ready to accept connections/
               || waitpid($redis, POSIX::WNOHANG()) && die slurp("$dir/log")
         }, 'redis-server');


sub own {
    return ask("$dir/redis.sock", @_);
}

own('AUTH', 'open sesame');

# the smallest user of the documentation, with a password full of delimiters

our @acl = qw(ACL SETUSER gateway on ~gw:* resetchannels
              -@all +ping +time +get +set +evalsha +eval +select);

own(@acl, '>p@ss:w/rd?100%#[]', '>plain');

# another one without one permission each

for my $lost (qw(ping time get set evalsha eval select)) {
    own(map({ $_ eq 'gateway' ? "no-$lost" : $_ } grep { $_ ne "+$lost" } @acl),
        '>plain');
}

own(map({ $_ eq 'gateway' ? 'no-keys' : $_ } grep { $_ ne '~gw:*' } @acl),
    '~other:*', '>plain');


add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', 'gw_ratelimit_redis ' . $block->redis_url
                      . ' timeout=10s;');

    $block->set_value('config', <<'END');
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=5;
        add_header    X-Status $gw_ratelimit_status;
    }
END

    my ($n) = $block->name =~ /TEST (\d+)/;

    own(split ' ') for split /\n/, $block->own // '';

    $block->set_value('request', "GET /t.txt?k=test$n");
    $block->set_value('response_body', "hello\n");

    $block->set_value('init', "own('SCRIPT', 'FLUSH');\n"
                      . ($block->init // ''));

    if (defined $block->error_log) {
        $block->set_value('response_headers', 'X-Status: unchecked');
        return;
    }

    $block->set_value('response_headers', 'X-Status: passed');
    $block->set_value('no_error_log', "[error]\n[alert]\n[crit]\n[warn]");
});


# in which database the bucket is, and no other

add_test_cleanup_handler(sub {
    my $block = shift;

    my ($n) = $block->name =~ /TEST (\d+)/;
    my @found;

    for my $database (0 .. 15) {
        own('SELECT', $database);
        push @found, $database if own('EXISTS', "gw:{test$n}:calls");
    }

    own('SELECT', 0);

    is("@found", $block->database // (defined $block->error_log ? '' : 0),
       $block->name . ' - database');
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a password
--- redis_url: "redis://:open sesame@127.0.0.1:$TEST_NGINX_OWN"



=== TEST 2: a password with an encoded blank
--- redis_url: redis://:open%20sesame@127.0.0.1:$TEST_NGINX_OWN
--- no_secret
open sesame
open%20sesame



=== TEST 3: the user of the documentation
--- redis_url: redis://gateway:plain@127.0.0.1:$TEST_NGINX_OWN/0
--- no_secret
gateway:



=== TEST 4: a password of delimiters, encoded
--- redis_url: redis://gateway:p%40ss%3aw%2Frd%3f100%25%23%5B%5d@127.0.0.1:$TEST_NGINX_OWN/0
--- no_secret
p@ss
p%40ss
100%



=== TEST 5: as it is, as far as possible
--- redis_url: "redis://gateway:p@ss:w/rd?100%25#[]@127.0.0.1:$TEST_NGINX_OWN/0"



=== TEST 6: the user "default" by its name, and another database
--- redis_url: redis://default:open%20sesame@127.0.0.1:$TEST_NGINX_OWN/7
--- database: 7



=== TEST 7: the user of the documentation in another database
--- redis_url: redis://gateway:plain@127.0.0.1:$TEST_NGINX_OWN/15
--- database: 15



=== TEST 8: an empty database is the first one
--- redis_url: redis://gateway:plain@127.0.0.1:$TEST_NGINX_OWN/



=== TEST 9: a name, whatever its addresses are
--- redis_url: redis://gateway:plain@localhost:$TEST_NGINX_OWN
--- init
wait_for(sub { http('/t.txt?k=test9') =~ /X-Status: passed/ }, 'Redis');



=== TEST 10: a wrong password
--- redis_url: redis://:sesame@127.0.0.1:$TEST_NGINX_OWN
--- error_log
AUTH failed: WRONGPASS
--- no_secret
sesame



=== TEST 11: no password
--- redis_url: redis://127.0.0.1:$TEST_NGINX_OWN
--- error_log
PING failed: NOAUTH Authentication required.



=== TEST 12: an unknown user
--- redis_url: redis://joe:sesame@127.0.0.1:$TEST_NGINX_OWN
--- error_log
AUTH failed: WRONGPASS
--- no_secret
joe
sesame



=== TEST 13: no such database
--- redis_url: redis://gateway:plain@127.0.0.1:$TEST_NGINX_OWN/16
--- error_log
SELECT failed: ERR DB index is out of range



=== TEST 14: a user who may not PING
--- redis_url: redis://no-ping:plain@127.0.0.1:$TEST_NGINX_OWN
--- error_log
PING failed: NOPERM



=== TEST 15: a user who may not SELECT
--- redis_url: redis://no-select:plain@127.0.0.1:$TEST_NGINX_OWN/1
--- error_log
SELECT failed: NOPERM



=== TEST 16: SELECT is not needed for the first database
--- redis_url: redis://no-select:plain@127.0.0.1:$TEST_NGINX_OWN



=== TEST 17: a user who may not EVALSHA
--- redis_url: redis://no-evalsha:plain@127.0.0.1:$TEST_NGINX_OWN
--- error_log
Redis replied "NOPERM



=== TEST 18: a user who may not EVAL
--- redis_url: redis://no-eval:plain@127.0.0.1:$TEST_NGINX_OWN
--- error_log
Redis replied "NOPERM



=== TEST 19: a user who may not SET
--- redis_url: redis://no-set:plain@127.0.0.1:$TEST_NGINX_OWN
--- error_log
Redis replied "



=== TEST 20: a user who may not GET
--- redis_url: redis://no-get:plain@127.0.0.1:$TEST_NGINX_OWN
--- error_log
Redis replied "



=== TEST 21: a user who may not ask for the TIME
--- redis_url: redis://no-time:plain@127.0.0.1:$TEST_NGINX_OWN
--- error_log
Redis replied "



=== TEST 22: a user with other keys
--- redis_url: redis://no-keys:plain@127.0.0.1:$TEST_NGINX_OWN
--- error_log
Redis replied "NOPERM



=== TEST 23: a socket, which takes no password
--- own
ACL SETUSER default nopass
--- redis_url: unix:$TEST_NGINX_SOCKET



=== TEST 24: a socket, and a database
--- redis_url: unix:$TEST_NGINX_SOCKET:3
--- database: 3
