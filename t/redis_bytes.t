# Copyright (C) The nginx gateway modules authors

# Arguments of commands may be any bytes, and as long as the configuration
# allows: a real Redis gets them as they are.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use IO::Socket::INET;
use Test::More;

use GWAuthService;
use GWTest;


my $redis = GWTest::Server->new('redis');
my $key = 'key-0123456789abcdef';
my $port = $redis->port;

my ($login, $prefix) = ('', '');

my $gw = auth_gateway(start => 0,
                      edit => sub { s/LOGIN/$login/; s/PREFIX/$prefix/ },
                      http => <<"END", server => <<'END');
    gw_auth_zone   identities:1m;
    gw_auth_redis  redis://LOGIN127.0.0.1:$port timeout=10s;

    gw_auth_provider partners {
        api_key  header=X-API-Key cache=0 "prefix=PREFIX";
        subject  shared;
    }
END
    location /key/ {
        gw_auth  partners;
        empty_gif;
    }
END


# redis-cli takes no NUL

sub command {
    my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")
        or die "redis: $!\n";

    print $c '*' . @_ . "\r\n"
             . join '', map { '$' . length() . "\r\n$_\r\n" } @_;
    $c->flush;

    my $line = <$c> // '';

    $line =~ /\A[+:]/ or die "redis: $line\n";
}


sub found {
    my ($title) = @_;

    $gw->write_conf;
    $gw->start;

    my $r;

    wait_for(sub {
        $r = $gw->get('/key/', headers => ['X-API-Key' => $key]);
        $r->{status} != 503;
    }, $title);

    is(who($r), '200 it ok', $title);
    $gw->stop('TERM');
}


# $n bytes, all there are in turn; those that begin a variable are left out

sub bytes {
    my ($n) = @_;

    my @all = ("\r", "\n", "\0", map { chr } 0 .. 255);

    return join '', map { $all[$_ % @all] eq '$' ? '-' : $all[$_ % @all] }
                    0 .. $n - 1;
}


for my $n (0, 1, 2, 3, 35, 36, 255) {
    my $bytes = bytes($n);

    command('HSET', $bytes . sha256_hex($key), 'subject', 'it');

    $prefix = $bytes =~ s/(["\\])/\\$1/gr;
    found("a prefix of $n bytes");
}


$prefix = 'gw:key:';
command('HSET', $prefix . sha256_hex($key), 'subject', 'it');

for my $n (1, 9, 10, 99, 100, 259, 999, 1000, 1200) {
    my $bytes = bytes($n);

    command('ACL', 'SETUSER', "user$n", 'on', ">$bytes", '~*', '+@all');

    $login = "user$n:" . $bytes =~ s/(.)/sprintf '%%%02X', ord $1/gesr . '@';
    found("a password of $n bytes");
}

command(qw(ACL SETUSER default resetpass), ">\r\n\0");

$login = ':%0D%0A%00@';
found('a password without a user');

is_deeply([ grep { /AUTH failed/ } split /\n/, $gw->error_log ], [],
          'none was refused');
nothing_wrong($gw);
done_testing();
