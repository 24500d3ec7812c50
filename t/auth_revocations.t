# Copyright (C) The nginx gateway modules authors

# Revocations: what an entry of the stream means, and that what was read once
# holds whatever becomes of Redis, of workers, and of the table.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;

use GWAuthService;
use GWTest;


my $redis = GWTest::Server->new('redis', 'revocations');
my $upstream = GWTest::Server->new('upstream');

my $key = 'gw:revoked';
my $n = 0;

my $providers = <<'END';
    gw_auth_provider accounts {
        issuer      https://accounts.example.com;
        audience    gateway;
        algorithms  RS256;
        jwks        file=accounts.jwks.json;
        subject     shared;
    }

    gw_auth_provider others {
        issuer      https://others.example.com;
        audience    gateway;
        algorithms  RS256;
        jwks        file=accounts.jwks.json;
        subject     prefix=other:;
    }

    gw_auth_provider partners {
        api_key     header=X-API-Key;
        subject     prefix=partner:;
    }
END


my $owner = $$;
my $fake;

END {
    if ($fake && $$ == $owner) {
        my $status = $?;

        kill('KILL', $fake);
        waitpid($fake, 0);

        $? = $status;
    }
}


sub gateway {
    my ($name, $parameters, %arg) = @_;

    my $login = delete $arg{login} // '';
    my $timeout = delete $arg{timeout} // '1s';

    return auth_gateway(redis => $redis, upstream => $upstream,
                        name => $name, %arg,
                        http => <<"END", server => <<'END_OF_SERVER');
    gw_auth_zone         identities:1m;
    gw_auth_redis        redis://${login}127.0.0.1:6379 timeout=$timeout;
    gw_auth_revocations  key=$key refresh=100ms $parameters;
$providers
END
        location / {
            gw_auth     accounts others partners;
            proxy_pass  http://127.0.0.1:8081;
        }
END_OF_SERVER
}


sub test {
    my ($title, $code) = @_;

    subtest($title => sub {
        eval { $code->(); 1 } or fail("died: $@");
    });
}


sub revoke {
    return $redis->command('XADD', $key, '*', @_);
}


# a token nobody has seen before, and its "jti"

sub newcomer {
    my %claims = @_;

    $n++;

    return (token(sub => "user-$n", iat => time, jti => "id-$n-of-a-token",
                  %claims), "id-$n-of-a-token");
}


sub says {
    my ($gw, $token) = @_;

    return who($gw->get('/', token => $token)) =~ s/ \S+ / /r;
}


sub refused {
    my ($gw, $token, $title) = @_;

    wait_for(sub { says($gw, $token) eq '401 revoked' }, $title);
    pass($title);
}


# all that was written before is known when this returns

sub read_again {
    my $gw = shift;

    my ($token, $jti) = newcomer();

    revoke(jti => $jti, until => time + 3600);
    wait_for(sub { says($gw, $token) eq '401 revoked' }, 'the list');
}


sub lines {
    my ($gw, $text) = @_;

    return scalar grep { index($_, $text) >= 0 } split /\n/, $gw->error_log;
}


# something that answers PING, and XRANGE with the next of the texts; the last
# one is for ever

sub fake_redis {
    my @texts = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8)
        or die "listen: $!\n";

    $fake = fork() // die "fork: $!\n";

    if ($fake == 0) {
        eval { serve($listen, @texts); 1 } or warn "fake redis: $@";
        POSIX::_exit(0);
    }

    return bless { port => $listen->sockport }, 'GWTest::Server';
}


sub serve {
    my ($listen, @texts) = @_;

    my $select = IO::Select->new($listen);
    my %in;

    $SIG{PIPE} = 'IGNORE';

    while (1) {
        for my $fh ($select->can_read) {

            if ($fh == $listen) {
                my $client = $listen->accept or next;

                $select->add($client);
                $in{$client} = '';
                next;
            }

            if (!sysread($fh, $in{$fh}, 65536, length $in{$fh})) {
                $select->remove($fh);
                close($fh);
                next;
            }

            while ($in{$fh} =~ /\A\*(\d+)\r\n/) {
                $in{$fh} =~ s/\A\*\d+\r\n((?:\$\d+\r\n[^\r]*\r\n){$1})//
                    or last;

                syswrite($fh, $1 =~ /PING/ ? "+PONG\r\n"
                              : @texts > 1 ? shift @texts : $texts[0]);
            }
        }
    }
}


sub bulk  { return '$' . length($_[0]) . "\r\n$_[0]\r\n" }
sub array { return join '', '*' . @_ . "\r\n", @_ }

sub entry {
    my ($id, @fields) = @_;

    return array(bulk($id), array(map { bulk($_) } @fields));
}


$redis->stop;

my $gw = gateway('revocations-gw', 'stale=1h', workers => 2,
                 timeout => '4s');


test('never read: requests wait, to be answered or to their deadline', sub {
    my ($token) = newcomer();

    my $first = send_request($gw->port, 'GET', '/', token => $token);
    my $gone = send_request($gw->port, 'GET', '/', token => $token);

    waiting($gw, 2);
    leave($gone);
    waiting($gw, 1);

    is(who(read_response($first)) =~ s/ \S+ / /r,
       '503 revocations_unavailable', 'the deadline');

    # one that waits for a Redis that never comes, and was first, tells that
    # those were woken, not late

    my $dead = gateway('dead-gw', '', redis => undef, timeout => '4s');
    my ($all, $woken);

    for (1 .. 5) {
        my $control = send_request($dead->port, 'GET', '/', token => $token);

        waiting($dead, 1);

        my @late = map { send_request($gw->port, 'GET', '/', token => $token) }
                   1 .. 8;

        waiting($gw, 8);
        $redis->start;

        $all = join ' ', map { read_response($_)->{status} } @late;
        $woken = !IO::Select->new($control)->can_read(0);

        last if $woken;

        # a busy machine: again

        $redis->stop;
        $gw->stop;
        $gw->start;
    }

    is($all, join(' ', (200) x 8), 'Redis came');
    ok($woken, 'nobody waited longer');

    $dead->stop;

    is(metric($gw, 'gw_auth_revocations_read'), 1, 'the metric');
});


test('one token', sub {
    my ($token, $jti) = newcomer();
    my ($other) = newcomer();

    is(says($gw, $token), '200 ok', 'before');

    revoke(jti => $jti, until => time + 3600);

    refused($gw, $token, 'also if it is cached');
    is(says($gw, $other), '200 ok', 'another');
});


test('one token of an issuer', sub {
    my ($token, $jti) = newcomer();
    my $twin = token(iss => 'https://others.example.com', sub => 'x',
                     jti => $jti);

    revoke(jti => $jti, iss => 'https://accounts.example.com',
           until => time + 3600);

    refused($gw, $token, 'its token');
    is(says($gw, $twin), '200 ok', 'the same "jti" of another');

    revoke(jti => $jti, until => time + 3600);
    refused($gw, $twin, 'of any issuer');
});


test('all tokens of a subject so far', sub {
    my ($old) = newcomer(sub => 'bob', iat => time - 10);
    my ($twin) = newcomer(iss => 'https://others.example.com', sub => 'bob');

    is(says($gw, $old), '200 ok', 'before');

    revoke(sub => 'bob', until => time + 3600);

    refused($gw, $old, 'the old one');

    my ($undated) = newcomer(sub => 'bob', iat => undef, -exp => undef,
                             exp => time + 3600);

    is(says($gw, $undated), '401 revoked', 'issued nobody knows when');
    is(says($gw, $twin), '200 ok', 'the subject of another issuer');

    revoke(sub => 'other:bob', until => time + 3600);
    refused($gw, $twin, 'with its prefix');

    wait_for(sub {
        says($gw, (newcomer(sub => 'bob'))[0]) eq '200 ok'
    }, 'a new login');
    pass('a new login');
});


test('all tokens of a subject before a time', sub {
    my $now = time;
    my ($old) = newcomer(sub => 'carol', iat => $now - 101);
    my ($new) = newcomer(sub => 'carol', iat => $now - 100);

    revoke(sub => 'carol', before => $now - 100, until => $now + 3600);

    refused($gw, $old, 'before');
    is(says($gw, $new), '200 ok', 'not before');

    revoke(sub => 'carol', before => $now - 200, until => $now + 3600);
    read_again($gw);
    is(says($gw, $old), '401 revoked', 'the later time holds');
});


test('an API key', sub {
    my $secret = 'key-of-a-partner-0123456789';
    my $hash = sha256_hex($secret);

    my $get = sub {
        return who($gw->get('/', headers => [ 'X-API-Key' => $secret ]));
    };

    $redis->command('HSET', "gw:key:$hash", 'subject', '7');

    # a worker that has not asked Redis yet finds out that it is back

    wait_for(sub { $get->() eq '200 partner:7 ok' }, 'the key to be known');

    revoke(key => uc $hash, until => time + 3600);

    wait_for(sub { $get->() =~ /^401 \S+ revoked$/ }, 'the key to be gone');
    pass('also if it is cached, and in upper case');
});


test('"until" is over', sub {
    my ($token, $jti) = newcomer();
    my ($leeway, $id) = newcomer();

    revoke(jti => $jti, until => time - 400);
    revoke(jti => $id, until => time - 10);

    refused($gw, $leeway, 'a token may be accepted after its end');
    is(says($gw, $token), '200 ok', 'not for ever');
});


test('malformed entries', sub {
    my $before = metric($gw, 'gw_auth_revocations_malformed_total');
    my @named = map { [ newcomer() ] } 1 .. 3;

    revoke(foo => 'bar');
    revoke(jti => '');
    revoke(key => 'no hash');
    revoke(jti => $named[0][1], until => 'tomorrow');
    revoke(jti => $named[1][1], until => '-1');
    revoke(jti => $named[2][1], jti => 'x', until => '');
    revoke(sub => 'dave', before => 'now', until => time + 3600);

    read_again($gw);

    is(metric($gw, 'gw_auth_revocations_malformed_total') - $before, 7,
       'all are counted');
    is(lines($gw, 'malformed entries in a page'), 1, 'one line');

    is(says($gw, $_->[0]), '401 revoked', 'what is named is revoked')
        for @named;
    is(says($gw, (newcomer(sub => 'dave', iat => time - 9))[0]),
       '401 revoked', 'the subject, too');
});


test('Redis is emptied, and goes on with smaller ids', sub {
    my ($token, $jti) = newcomer();
    my ($low, $id) = newcomer();
    my ($hidden, $behind) = newcomer();

    revoke(jti => $jti, until => time + 3600);
    refused($gw, $token, 'revoked');

    $redis->command('DEL', $key);
    $redis->command('XADD', $key, '5-1', 'jti', $id, 'until', time + 3600);

    refused($gw, $low, 'a smaller id');
    is(says($gw, $token), '401 revoked', 'what was read is kept');

    # at once, so that a greater id hides the smaller one

    $redis->command('EVAL', <<'END', 1, $key, $behind, time + 3600);
        redis.call('DEL', KEYS[1])
        redis.call('XADD', KEYS[1], '6-1', 'jti', ARGV[1], 'until', ARGV[2])
        redis.call('XADD', KEYS[1], '*', 'jti', 'x', 'until', ARGV[2])
END

    refused($gw, $hidden, 'behind what was read');
    cmp_ok(lines($gw, 'which was the last entry'), '>', 0, 'it is said');

    $redis->command('FLUSHALL');
    read_again($gw);
    is(says($gw, $token), '401 revoked', 'kept after FLUSHALL');
});


test('the greatest id there is', sub {
    my ($token, $jti) = newcomer();

    $redis->command('XADD', $key, '18446744073709551615-18446744073709551615',
                    'jti', $jti);
    refused($gw, $token, 'read');

    $redis->command('DEL', $key);
    read_again($gw);
    is(says($gw, $token), '401 revoked', 'kept');
});


test('the key holds something else', sub {
    my ($token, $jti) = newcomer();
    my ($other) = newcomer();

    revoke(jti => $jti, until => time + 3600);
    refused($gw, $token, 'revoked');

    $redis->command('DEL', $key);
    $redis->command('SET', $key, 'x');

    # new workers have written no line of this kind yet

    $gw->reload(old => 1);

    wait_for(sub {
        $gw->error_log =~ /could not be read .*: WRONGTYPE Operation against/
    }, 'the error');
    pass('it says why');

    is(says($gw, $token), '401 revoked', 'what was read holds');
    is(says($gw, $other), '200 ok', 'others pass');

    $redis->command('DEL', $key);
    read_again($gw);
    is(says($gw, $token), '401 revoked', 'still');
});


test('Redis is away, and nginx is reloaded', sub {
    my ($token, $jti) = newcomer();
    my ($other) = newcomer();

    revoke(jti => $jti, until => time + 3600);
    refused($gw, $token, 'revoked');

    $redis->stop;
    $gw->reload(old => 1);

    is(says($gw, $token), '401 revoked', 'the reload keeps it');
    is(says($gw, $other), '200 ok', 'others pass');

    $redis->start;
    read_again($gw);
    is(says($gw, $token), '401 revoked', 'back');
});


test('the worker that polls is killed', sub {
    for my $worker ($gw->workers) {
        my ($token, $jti) = newcomer();

        kill('KILL', $worker);
        wait_for(sub { !grep { $_ == $worker } $gw->workers }, 'its end');
        revoke(jti => $jti, until => time + 3600);

        wait_for(sub { says($gw, $token) eq '401 revoked' }, 'another');
        pass('another worker polls');
    }

    wait_for(sub { $gw->workers == 2 }, 'two workers');
});


test('many entries, more than a page', sub {
    my ($first, $id) = newcomer();
    my ($last, $jti) = newcomer();

    $redis->command('EVAL', <<'END', 1, $key, $id, $jti, time + 3600);
        redis.call('XADD', KEYS[1], '*', 'jti', ARGV[1], 'until', ARGV[3])

        for i = 1, 3000 do
            redis.call('XADD', KEYS[1], '*', 'jti', 'n' .. i, 'until', ARGV[3])
        end

        redis.call('XADD', KEYS[1], '*', 'jti', ARGV[2], 'until', ARGV[3])
END

    refused($gw, $last, 'the last one');
    is(says($gw, $first), '401 revoked', 'the first one');
    cmp_ok(metric($gw, 'gw_auth_revocations_entries'), '>', 3000,
           'the metric');
});


test('the end does not wait for a Redis that hangs', sub {
    my $polls = metric($gw, 'gw_auth_revocations_polls_total');

    $redis->signal('STOP');
    wait_for(sub {
        metric($gw, 'gw_auth_revocations_polls_total') > $polls
    }, 'a step');

    $gw->stop;
    pass('the workers are gone');
    $redis->signal('CONT');

    unlike($gw->error_log, qr/open socket|died inside/, 'nothing is left');
    is(join("\n", grep { !/exited on signal 9/ } $gw->trouble), '',
       'nothing went wrong');
});


test('stale, error=deny', sub {
    my $gw = gateway('stale-gw', 'stale=1s');
    my ($token, $jti) = newcomer();
    my ($other) = newcomer();

    revoke(jti => $jti, until => time + 3600);
    refused($gw, $token, 'revoked');

    $redis->stop;

    wait_for(sub { says($gw, $other) eq '503 revocations_unavailable' },
             'stale');
    pass('nobody passes');
    is(says($gw, $token), '401 revoked', 'what is known is said');

    $redis->start;

    wait_for(sub { says($gw, $other) eq '200 ok' }, 'the list');
    is(says($gw, $token), '401 revoked', 'it was kept');

    $gw->stop;
    nothing_wrong($gw, $token, $other);
});


test('stale, error=allow', sub {
    my $gw = gateway('allow-gw', 'stale=1s error=allow');
    my ($token, $jti) = newcomer();
    my ($other) = newcomer();

    revoke(jti => $jti, until => time + 3600);
    refused($gw, $token, 'revoked');

    $redis->stop;

    wait_for(sub { metric($gw, 'gw_auth_revocations_age_seconds') > 1 },
             'stale');
    is(says($gw, $other), '200 ok', 'others pass');
    is(says($gw, $token), '401 revoked', 'what was read holds');

    $gw->stop;
    $gw->start;

    is(says($gw, $token), '200 ok', 'never read: passes at the deadline');

    $redis->start;
    revoke(jti => $jti, until => time + 3600);
    refused($gw, $token, 'read');

    $gw->stop;
    nothing_wrong($gw, $token, $other);
});


test('a full table', sub {
    my $gw = gateway('full-gw', 'stale=1s size=64k');
    my ($other) = newcomer();

    wait_for(sub { says($gw, $other) eq '200 ok' }, 'the list');

    my $size = metric($gw, 'gw_auth_revocations_size');
    my ($token, $jti) = newcomer();

    $redis->command('DEL', $key);
    $redis->command('EVAL', <<'END', 1, $key, $size, time - 290);
        for i = 1, ARGV[1] do
            redis.call('XADD', KEYS[1], '*', 'jti', 'f' .. i, 'until', ARGV[2])
        end
END
    revoke(jti => $jti, until => time + 3600);

    wait_for(sub { lines($gw, 'the table is full') }, 'the error');
    cmp_ok(metric($gw, 'gw_auth_revocations_overflows_total'), '>', 0,
           'the metric');

    wait_for(sub { says($gw, $other) eq '503 revocations_unavailable' },
             'stale');
    pass('the list counts as unread');

    refused($gw, $token, 'it fits when others are over');
    wait_for(sub { says($gw, $other) eq '200 ok' }, 'the list');
    pass('and the list is complete');

    $gw->stop;
    nothing_wrong($gw, $token, $other);
});


test('answers that are none', sub {
    my ($token, $jti) = newcomer();
    my $long = '9' x 30;

    my @bad = (
        "\$-1\r\n", "*-1\r\n", ":5\r\n", "+OK\r\n", "-ERR %s%n\r\n", "-\r\n",
        bulk('x'), array(array(array("*0\r\n"))), array("*-1\r\n"),
        array("*0\r\n"), array(bulk('1-1')), array(array(bulk('1-1'))),
        array(array(bulk('1-1'), "*0\r\n", "*0\r\n")),
        array(array(":1\r\n", "*0\r\n")),
        map({ array(entry($_, 'jti', 'x')) }
            '', '-', '1', '1-', '-1', '1-x', ' 1-1', '1-1 ', '0-0', '1-1-1'),
        array(entry('5-1', 'jti', 'x'), entry('4-1', 'jti', 'x')),
        array(entry('5-1', 'jti', 'x'), entry('5-1', 'jti', 'x')),
        array(map { entry("$_-1", 'jti', 'x') } 1 .. 600),
    );

    # failures make the pages small: one of one entry comes first

    my $strange = array(
        entry('7-0'),
        array(bulk('7-1'), "*-1\r\n"),
        array(bulk('7-2'), bulk('x')),
        array(bulk('7-3'), array(bulk('jti'))),
        array(bulk('7-4'), array(":1\r\n", ":2\r\n")),
        array(bulk('7-5'), array(bulk('jti'), "\$-1\r\n")),
        array(bulk('7-6'), array(bulk('jti'), array(bulk('x')))),
        entry("$long-1", 'jti', $jti, 'until', $long),
    );

    my $fake = fake_redis(@bad, array(entry('7-0', 'x', 'y')), $strange,
                          array(entry("$long-1")));
    my $gw = gateway('fake-gw', 'stale=1h', redis => $fake,
                     timeout => '5s');

    wait_for(sub { metric($gw, 'gw_auth_revocations_read') }, 'the list', 60);

    cmp_ok(metric($gw, 'gw_auth_revocations_failures_total'), '>=', @bad,
           'all the others are refused');
    is(says($gw, $token), '401 revoked', 'an entry among strange ones');
    is(metric($gw, 'gw_auth_revocations_malformed_total'), 7,
       'which are malformed');

    $gw->stop;
    nothing_wrong($gw, $token);
});


# the commands and rights of the documentation

test('the smallest users', sub {
    $redis->command('DEL', $key);
    $redis->command(qw(ACL SETUSER gateway reset on >secret resetchannels
                       %R~gw:revoked %R~gw:key:* +ping +xrange +hgetall));
    $redis->command(qw(ACL SETUSER revoker reset on >secret resetchannels
                       ~gw:revoked +xadd));

    my $gw = gateway('acl-gw', '', login => 'gateway:secret@');
    my ($token, $jti) = newcomer();
    my $day = time - 30 * 86400;

    wait_for(sub { says($gw, $token) eq '200 ok' }, 'the list');

    $redis->command(qw(--user revoker --pass secret --no-auth-warning
                       XADD gw:revoked MINID ~), "${day}000", '*', 'jti', $jti,
                    'iss', 'https://accounts.example.com',
                    'until', time + 3600);

    refused($gw, $token, 'revoked');
    unlike($gw->error_log, qr/NOPERM/, 'no right is missing');

    $redis->command(qw(ACL SETUSER gateway -xrange));
    wait_for(sub { $gw->error_log =~ /could not be read .*: NOPERM/ },
             'NOPERM');
    pass('one less, and it is said');

    $gw->stop;
    nothing_wrong($gw, $token, 'secret');
});


done_testing();
