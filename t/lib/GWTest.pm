package GWTest;

# Copyright (C) The nginx gateway modules authors

# Helpers for tests of the whole gateway against real servers.
#
#     use lib 't/lib';
#     use GWTest;
#     use Test::More;
#
#     my $redis = GWTest::Server->new('redis');
#     my $kafka = GWTest::Server->new('broker');
#     my $upstream = GWTest::Server->new('upstream');
#     my $gw = GWTest::Gateway->new(redis => $redis, kafka => $kafka,
#                                   upstream => $upstream);
#
#     my $r = $gw->get('/orders/1', token => token(sub => 'a', plan => 'free'));
#     is($r->{status}, 200);
#
# Everything that was started is stopped when the program ends, however it
# ends; all files are in the run's folder.  Nothing here waits for a time,
# only for a condition.  What fails for reasons other than the test's dies.
#
# Functions
#
#   wait_for(\&cond, $what, $seconds)
#       calls cond until it is true, and returns what it returned; dies
#       after $seconds, 120 by default
#
#   free_port()
#       a free TCP port of 127.0.0.1
#
#   run_dir()
#       a folder for files of this test
#
#   key_file($name)
#       the path of a key of tools/keys.sh, as "rsa.pem"
#
#   token(%claims)
#       a JWT by gw-token, RS256 with the key "rsa", of the issuer and for
#       the audience of conf/gateway.conf, valid for an hour.  A claim that
#       is a reference or a plain integer is written as JSON, undef leaves
#       it out.  Options begin with a dash: -alg, -key (a path, or the name
#       of a key), -kid, -exp ("+60", "-1", "@0", undef for none).
#
#   unsigned_token(\%header, \%claims, $signature)
#       any header and claims, as they are; the signature is empty unless
#       given (in base64url)
#
#   verify_passport($jwt, $jwks, %args)
#       the passport's { header, claims } if PyJWT accepts it with the key
#       set (text), undef and a diagnostic if not; audience "orders",
#       algorithms ["ES256"] unless given
#
#   request($port, $method, $path, %args)
#       one HTTP/1.1 request on a connection of its own.  Arguments:
#       headers => [NAME => VALUE, ...] sent exactly as given, token => JWT,
#       body => TEXT, timeout => seconds, 30 by default.  Returns
#       { status, reason, headers => { lower case => value }, body, json },
#       json being the decoded body, if it is JSON; status is 0 if the
#       server closed without an answer, and "error" says why.
#
#   send_request($port, $method, $path, %args)
#       sends the same and returns the socket, for a client that leaves or
#       reads later by read_response($socket, $timeout)
#
#   events($server, %args)
#       the usage events in a topic ("gw.usage", or topic => NAME), decoded,
#       in the order of each partition, the message's key added as "_key".
#       It waits until there are count => N of them, or until => sub { },
#       called with all events, is true.  More than N are returned too.
#
# GWTest::Server->new($kind, $name)
#
#   Starts redis, kafka, mock-kafka, broker (Kafka, or its mock where there
#   is no Java) or upstream, by tools/server.sh.  The name, the kind unless
#   given, is that of its folder.
#
#   ->kind ->port ->address ->dir ->pid ->running
#   ->stop          orderly, and waits for it
#   ->start         again: same port, Kafka with its data
#   ->signal(NAME)  STOP makes it hang, CONT goes on, KILL ends it (waits)
#   ->order(TEXT)   a command for mock-kafka, waits until it has obeyed
#   ->requests      of upstream: what it has received so far, decoded
#   ->command(...)  of redis: the output of redis-cli
#
# GWTest::Gateway->new(%args)
#
#   Starts nginx with conf/gateway.conf on a free port.  Arguments: redis,
#   kafka, upstream => servers; conf => TEXT of another configuration, with
#   the same ports in it (tools/gateway-conf.sh); edit => sub { } changes
#   the text in $_; name => of its folder; start => 0 does not start it.
#
#   ->port ->dir
#   ->get(PATH, %args) ->post(PATH, %args) ->request(METHOD, PATH, %args)
#   ->test          what "nginx -t" says, and whether it was satisfied
#   ->start ->stop  (QUIT) ->stop('TERM') waits until all processes are gone
#   ->reload        waits until new workers run; ->reload(old => 1) until
#                   the old ones are gone, too
#   ->edit(sub)     changes the configuration for the next reload or start
#   ->master ->workers
#   ->error_log ->access_log    their text
#   ->trouble       lines of the error log that no test expects: alert,
#                   crit, emerg, processes that died of a signal

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(encode_base64url);
use Test::More ();
use Time::HiRes qw(sleep time);

use GwJournal;

our @EXPORT = qw(wait_for free_port run_dir key_file token unsigned_token
                 verify_passport request send_request read_response events);

our $ROOT = abs_path(dirname(__FILE__) . '/../..');

my $main = $$;
my @started;
my $dir;


# a program that is ended by a signal stops its servers, too

$SIG{$_} = sub { exit 1 } for grep { !$SIG{$_} } qw(HUP INT TERM);
$SIG{PIPE} = 'IGNORE';


END {
    if ($$ == $main) {
        my $status = $?;

        for my $it (reverse @started) {
            eval { $it->stop; 1 } or warn $@;
        }

        $? = $status;
    }
}


sub started {
    push @started, @_;
}


sub wait_for {
    my ($cond, $what, $seconds) = @_;

    my $end = time + ($seconds || 120);

    while (1) {
        my $rc = $cond->();

        return $rc if $rc;
        die "waited in vain for $what\n" if time > $end;

        sleep 0.02;
    }
}


sub free_port {
    my ($from, $to) = split ' ', $ENV{TEST_NGINX_PORTS} || '10000 29999';

    for (1 .. 1000) {
        my $port = $from + int rand($to - $from + 1);

        next if $port == ($ENV{TEST_NGINX_SERVER_PORT} || 0);

        return $port
            if IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
                                     LocalPort => $port, ReuseAddr => 1);
    }

    die "no free port\n";
}


sub run_dir {
    if (!$dir) {
        $dir = $ENV{TEST_NGINX_RUN} || tempdir(CLEANUP => 1);
        make_path($dir);
    }

    return $dir;
}


sub build_dir {
    return abs_path($ENV{BUILD} || "$ROOT/build");
}


sub key_file {
    my ($name) = @_;

    if (!$ENV{TEST_NGINX_KEYS}) {
        $ENV{TEST_NGINX_KEYS} = run_dir() . '/keys';
        system("$ROOT/tools/keys.sh", $ENV{TEST_NGINX_KEYS}) == 0
            or die "cannot make keys\n";
    }

    return "$ENV{TEST_NGINX_KEYS}/$name";
}


sub token {
    my %arg = (
        iss => 'https://accounts.example.com',
        aud => 'gateway',
        -alg => 'RS256',
        -key => 'rsa',
        -exp => '+3600',
        @_
    );

    my $bin = $ENV{TEST_NGINX_BIN} || build_dir() . '/bin';
    my $key = $arg{-key} =~ m{/} ? $arg{-key} : key_file("$arg{-key}.pem");
    my $kid = exists $arg{-kid} ? $arg{-kid}
                                : $arg{-key} =~ m{/} ? undef : $arg{-key};

    my @cmd = ("$bin/gw-token", '--alg', $arg{-alg}, '--key', $key);

    push @cmd, '--kid', $kid if defined $kid;
    push @cmd, '--exp', $arg{-exp} if defined $arg{-exp};

    for my $name (grep { !/\A-/ } sort keys %arg) {
        my $value = $arg{$name};

        next if !defined $value;

        push @cmd, ref $value || $value =~ /\A-?\d+\z/
            ? ('--json', "$name=" . encode($value))
            : ('--claim', "$name=$value");
    }

    open(my $fh, '-|', @cmd) or die "gw-token: $!\n";
    chomp(my $token = <$fh> // '');
    close $fh or die "@cmd failed\n";

    return $token;
}


sub encode {
    my ($value) = @_;

    return ref $value ? JSON::PP->new->canonical->utf8->encode($value) : $value;
}


sub unsigned_token {
    my ($header, $claims, $signature) = @_;

    return join '.', encode_base64url(encode($header)),
                     encode_base64url(encode($claims)), $signature // '';
}


sub verify_passport {
    my ($jwt, $jwks, %arg) = @_;

    my $file = write_file('jwks.json', $jwks);
    my $token = write_file('passport', $jwt);
    my $algs = join ' ', @{$arg{algorithms} || ['ES256']};
    my $aud = $arg{audience} // 'orders';

    my $out = `/usr/bin/python3 '$ROOT/t/lib/verify_jwt.py' '$file' '$aud' \\
        $algs < '$token' 2>&1`;

    return decode_json($out) if $? == 0;

    Test::More::diag("passport refused: $out");
    return undef;
}


sub write_file {
    my ($name, $text) = @_;

    my $path = run_dir() . "/$name";

    open(my $fh, '>:raw', $path) or die "$path: $!\n";
    print $fh $text;
    close $fh or die "$path: $!\n";

    return $path;
}


sub slurp {
    my ($path) = @_;

    open(my $fh, '<:raw', $path) or return '';
    local $/;

    return <$fh> // '';
}


sub request {
    my ($port, $method, $path, %arg) = @_;

    return read_response(send_request(@_), $arg{timeout}, $method);
}


sub send_request {
    my ($port, $method, $path, %arg) = @_;

    my $fh = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                   PeerPort => $port, Timeout => 10)
        or return undef;

    my @headers = @{$arg{headers} || []};
    my $text = "$method $path HTTP/1.1\r\nConnection: close\r\n";

    $text .= "Host: localhost\r\n"
        if !grep { !($_ & 1) && lc $headers[$_] eq 'host' } 0 .. $#headers;
    $text .= "Authorization: Bearer $arg{token}\r\n" if defined $arg{token};
    $text .= 'Content-Length: ' . length($arg{body}) . "\r\n"
        if defined $arg{body};

    while (@headers) {
        my ($name, $value) = splice @headers, 0, 2;
        $text .= "$name: $value\r\n";
    }

    print $fh "$text\r\n" . ($arg{body} // '');
    $fh->flush;

    return $fh;
}


sub read_response {
    my ($fh, $seconds, $method) = @_;

    my %r = (status => 0, headers => {}, body => '');

    if (!$fh) {
        $r{error} = "connect: $!";
        return \%r;
    }

    my $end = time + ($seconds || 30);
    my $select = IO::Select->new($fh);
    my $text = '';

    while (1) {
        my $left = $end - time;

        if ($left <= 0 || !$select->can_read($left)) {
            $r{error} = 'timeout';
            last;
        }

        my $n = sysread($fh, $text, 65536, length $text);

        if (!defined $n) {
            $r{error} = "read: $!";
            last;
        }

        last if $n == 0;
    }

    return \%r if $text !~ s{\AHTTP/1\.[01] (\d{3})[ ]?([^\r\n]*)\r\n}{};

    @r{qw(status reason)} = ($1, $2);

    my ($head, $body) = split /\r\n\r\n/, "\r\n$text", 2;

    for (grep { length } split /\r\n/, $head) {
        my ($name, $value) = /\A([^:]+):\s*(.*)\z/s or next;

        $name = lc $name;
        $r{headers}{$name} = exists $r{headers}{$name}
            ? "$r{headers}{$name}, $value" : $value;
    }

    $r{body} = ($r{headers}{'transfer-encoding'} // '') eq 'chunked'
        ? dechunk($body) : $body // '';
    $r{json} = eval { decode_json($r{body}) }
        if ($r{headers}{'content-type'} // '') =~ /json/;

    return \%r;
}


sub dechunk {
    my ($in) = @_;

    my $out = '';

    while ($in =~ s/\A([0-9a-fA-F]+)[^\r\n]*\r\n//) {
        my $size = hex $1 or last;

        $out .= substr $in, 0, $size;
        substr($in, 0, $size + 2) = '';
    }

    return $out;
}


sub events {
    my ($server, %arg) = @_;

    my $enough = $arg{until} || sub { @_ >= ($arg{count} || 0) };
    my @cmd = ('kcat', '-C', '-q', '-e', '-o', 'beginning',
               '-b', $server->address, '-t', $arg{topic} || 'gw.usage',
               '-f', '%k\t%s\n', '-m', 5);
    my @events;

    wait_for(sub {
        open(my $fh, '-|', 'timeout', 20, @cmd) or die "kcat: $!\n";

        @events = map {
            chomp;
            my ($key, $text) = split /\t/, $_, 2;
            my $event = decode_json($text);
            $event->{_key} = $key;
            $event
        } <$fh>;

        return close($fh) && $enough->(@events);
    }, $arg{what} || 'usage events', $arg{timeout} || 60);

    return @events;
}


package GWTest::Server;

use Time::HiRes ();


sub new {
    my ($class, $kind, $name) = @_;

    my $self = bless {
        kind => $kind,
        dir => GWTest::run_dir() . '/' . ($name || $kind),
    }, $class;

    GWTest::started($self);
    $self->start;

    return $self;
}


sub start {
    my ($self) = @_;

    my $cmd = "$GWTest::ROOT/tools/server.sh";
    my $port = `'$cmd' start $self->{kind} '$self->{dir}'`;

    $? == 0 or die "cannot start $self->{kind}\n";
    chomp $port;
    $self->{port} = $port;

    return $self;
}


sub stop {
    my ($self) = @_;

    system("$GWTest::ROOT/tools/server.sh", 'stop', $self->{dir}) == 0
        or die "cannot stop $self->{kind}\n";
}


sub kind {
    my ($self) = @_;

    chomp(my $kind = GWTest::slurp("$self->{dir}/kind"));

    return $kind;
}


sub port    { $_[0]{port} }
sub dir     { $_[0]{dir} }
sub address { "127.0.0.1:$_[0]{port}" }


sub pid {
    my ($self) = @_;

    return (split ' ', GWTest::slurp("$self->{dir}/pid"))[0];
}


sub running {
    my ($self) = @_;

    my $pid = $self->pid or return 0;

    return GWTest::slurp("/proc/$pid/stat") =~ /\) [^ZX]/ ? 1 : 0;
}


sub signal {
    my ($self, $name) = @_;

    my $pid = $self->pid or die "$self->{kind} does not run\n";

    kill($name, $pid) or die "kill: $!\n";

    if ($name eq 'STOP') {
        GWTest::wait_for(sub {
            GWTest::slurp("/proc/$pid/stat") =~ /\) T/
        }, "$self->{kind} to hang");

    } elsif ($name eq 'KILL') {
        GWTest::wait_for(sub { !$self->running }, "$self->{kind} to end");
    }
}


sub order {
    my ($self, $text) = @_;

    my $done = $self->answers;

    open(my $fh, '>', "$self->{dir}/control") or die "control: $!\n";
    print $fh "$text\n";
    close $fh or die "control: $!\n";

    GWTest::wait_for(sub { $self->answers > $done }, "\"$text\" to be done");
}


# to orders, which it writes to its log

sub answers {
    my ($self) = @_;

    return scalar(() = GWTest::slurp("$self->{dir}/log")
                       =~ /^(?:ok|error: .*)$/mg);
}


sub requests {
    my ($self) = @_;

    return map { JSON::PP::decode_json($_) }
           split /\n/, GWTest::slurp("$self->{dir}/requests");
}


sub command {
    my ($self, @args) = @_;

    open(my $fh, '-|', 'redis-cli', '-h', '127.0.0.1', '-p', $self->{port},
         @args) or die "redis-cli: $!\n";
    local $/;
    my $text = <$fh> // '';
    close $fh or die "redis-cli failed\n";

    return $text =~ s/\n\z//r;
}


package GWTest::Gateway;


sub new {
    my ($class, %arg) = @_;

    my $self = bless {
        dir => GWTest::run_dir() . '/' . ($arg{name} || 'gateway'),
        arg => \%arg,
        binary => $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx',
    }, $class;

    GWTest::started($self);

    # another program may take the port before nginx does

    for my $try (1 .. 5) {
        $self->{port} = GWTest::free_port();
        $self->write_conf;

        return $self if defined $arg{start} && !$arg{start};
        return $self if eval { $self->start; 1 };

        die $@ if $@ !~ /Address already in use/;
    }

    die $@;
}


sub write_conf {
    my ($self) = @_;

    my $arg = $self->{arg};

    local $ENV{GW_LISTEN} = '127.0.0.1';
    local $ENV{GW_PORT} = $self->{port};
    local $ENV{GW_MODULES} = modules();
    local $ENV{REDIS_PORT} = $arg->{redis} ? $arg->{redis}->port : 1;
    local $ENV{KAFKA_PORT} = $arg->{kafka} ? $arg->{kafka}->port : 1;
    local $ENV{UPSTREAM_PORT} = $arg->{upstream} ? $arg->{upstream}->port : 1;
    local $ENV{AUTH_PORT} = $self->auth_port;
    local $ENV{GW_TAIL} = $ENV{TEST_NGINX_TAIL};

    my $text = $arg->{conf}
        // GWTest::slurp("$GWTest::ROOT/conf/gateway.conf");

    GWTest::key_file('rsa.pem');
    File::Path::make_path($self->{dir});

    if (!-e "$self->{dir}/keys") {
        symlink($ENV{TEST_NGINX_KEYS}, "$self->{dir}/keys")
            or die "symlink: $!\n";
    }

    if ($arg->{edit}) {
        local $_ = $text;
        $arg->{edit}->();
        $text = $_;
    }

    my $file = GWTest::write_file('gateway.conf', $text);

    system("$GWTest::ROOT/tools/gateway-conf.sh", $self->{dir}, $file) == 0
        or die "cannot write the configuration\n";
}


# the auth service is the test's own, or one for the keys of the issuer

sub auth_port {
    my ($self) = @_;

    my $arg = $self->{arg};

    return $arg->{auth}->port if $arg->{auth};
    return 1 if $arg->{conf} || (defined $arg->{start} && !$arg->{start});

    if (!$self->{auth}) {
        $self->{auth} = GWTest::Server->new('auth-service',
                                            ($arg->{name} || 'gateway')
                                            . '-auth');
        GWTest::key_file('jwks.json');
        symlink("$ENV{TEST_NGINX_KEYS}/jwks.json",
                $self->{auth}->dir . '/jwks.json')
            or die "symlink: $!\n";
    }

    return $self->{auth}->port;
}


# where the modules are, "none" if they are linked in

sub modules {
    my $list = $ENV{TEST_NGINX_LOAD_MODULES}
        // join ' ', glob GWTest::build_dir() . '/modules/*.so';
    my ($first) = split ' ', $list;

    return defined $first ? File::Basename::dirname($first) : 'none';
}


sub nginx {
    my ($self, @args) = @_;

    return ($self->{binary}, '-p', "$self->{dir}/", '-e', 'logs/error.log',
            '-c', 'conf/gateway.conf', @args);
}


sub test {
    my ($self) = @_;

    my $cmd = join ' ', map { "'$_'" } $self->nginx('-t');
    my $text = `$cmd 2>&1`;

    return wantarray ? ($text, $? == 0) : $text;
}


sub start {
    my ($self) = @_;

    my $cmd = join ' ', map { "'$_'" } $self->nginx;
    my $text = `$cmd 2>&1 < /dev/null`;

    $? == 0 or die "nginx does not start: $text\n";

    $self->{master} = GWTest::wait_for(sub {
        GWTest::slurp("$self->{dir}/logs/nginx.pid") =~ /\A(\d+)\n/ && $1
    }, 'nginx.pid');

    GWTest::wait_for(sub {
        IO::Socket::INET->new("127.0.0.1:$self->{port}")
            && $self->workers > 0
    }, 'the gateway to listen');

    return $self;
}


sub stop {
    my ($self, $signal) = @_;

    my @pids = ($self->master || (), $self->workers);

    kill($signal || 'QUIT', $self->master) if $self->master;

    # nothing that hangs may be left behind, but a test has to know

    my $gone = eval {
        GWTest::wait_for(sub { !grep { is_alive($_) } @pids },
                         'nginx to end');
    };

    if (!$gone) {
        kill('KILL', grep { is_alive($_) } @pids);
        die "nginx did not end, and was killed\n";
    }

    $self->{master} = undef;
}


sub reload {
    my ($self, %arg) = @_;

    my %old = map { $_ => 1 } $self->workers;

    kill('HUP', $self->master) or die "HUP: $!\n";

    GWTest::wait_for(sub { grep { !$old{$_} } $self->workers },
                     'new workers');
    GWTest::wait_for(sub { !grep { is_alive($_) } keys %old },
                     'old workers to end') if $arg{old};
}


sub edit {
    my ($self, $edit) = @_;

    $self->{arg}{edit} = $edit;
    $self->write_conf;
}


sub is_alive {
    my ($pid) = @_;

    return GWTest::slurp("/proc/$pid/stat") =~ /\) [^ZX]/;
}


sub master {
    my ($self) = @_;

    return $self->{master};
}


sub workers {
    my ($self) = @_;

    my $pid = $self->{master} or return ();

    return grep { GWTest::slurp("/proc/$_/cmdline") =~ /worker process/ }
           split ' ', GWTest::slurp("/proc/$pid/task/$pid/children");
}


sub port { $_[0]{port} }
sub dir  { $_[0]{dir} }


sub request {
    my ($self, @args) = @_;

    return GWTest::request($self->{port}, @args);
}


sub get {
    my ($self, @args) = @_;

    return GWTest::request($self->{port}, 'GET', @args);
}


sub post {
    my ($self, @args) = @_;

    return GWTest::request($self->{port}, 'POST', @args);
}


sub error_log  { GWTest::slurp("$_[0]{dir}/logs/error.log") }
sub access_log { GWTest::slurp("$_[0]{dir}/logs/access.log") }


sub trouble {
    my ($self) = @_;

    return grep { /\[(?:alert|crit|emerg)\]/
                  || /exited on signal|exited with code [1-9]/ }
           split /\n/, $self->error_log;
}


1;
