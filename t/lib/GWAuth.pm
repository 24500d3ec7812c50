# Copyright (C) The nginx gateway modules authors

# What tests of the auth module share.  Nothing here uses the modules' code:
# openssl signs the tokens, PyJWT verifies the passports.
#
#     token(key => 'rsa', header => {...}, claims => {...})
#
# a token of alice for the audience "gateway", signed by a key of
# TEST_NGINX_KEYS (rsa, ec, ed, hs, forged, passport, passport-old); members
# replace those of the defaults, undef removes them.  "alg" signs in another
# way than the header says, "secret" are the bytes of an HMAC key, "head" and
# "body" are texts in place of the JSON.
#
# The upstream at TEST_NGINX_UPSTREAM answers HTTP, FastCGI, uwsgi and SCGI
# with the headers or parameters it received, in their order; a path may ask
# for "status=N" or "accel=URI".
#
# Sections of blocks, besides those of Test::Nginx:
#
#     token     sent as the first of two requests for "/", expected to be
#               refused; the second one is good and has to pass
#     reason    of the refusal, as in $gw_auth_status
#     logged    all lines of access.log
#     seen      all that the upstream was asked, sorted: a line of URI,
#               audiences of the passport, scheme of Authorization; or "-"
#
# In no block may a credential, or anything said in it, get into error.log.

package GWAuth;

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(hmac_sha256 hmac_sha384 hmac_sha512);
use Exporter;
use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IPC::Open3;
use JSON::PP;
use MIME::Base64 qw(decode_base64url encode_base64url);
use POSIX ();
use Test::Nginx::Socket;

use GWTest ();


our @ISA = qw(Exporter);

our @EXPORT = qw(
    bearer certificate expired file header_lines json passports passports_for
    problem public_key token user_key
);

my $root = abs_path(dirname(__FILE__) . '/../..');
my $json = JSON::PP->new->canonical->utf8;
my $tmp = tempdir(CLEANUP => 1);
my $owner = $$;

my %alg = (rsa => 'RS256', forged => 'RS256', ec => 'ES256', ed => 'EdDSA',
           hs => 'HS256', passport => 'ES256', 'passport-old' => 'ES256');

my (%children, %secrets);


if (!$ENV{TEST_NGINX_KEYS}) {
    $ENV{TEST_NGINX_KEYS} = "$tmp/keys";
    system("$root/tools/keys.sh", $ENV{TEST_NGINX_KEYS}) == 0
        or die "cannot make keys\n";
}

$ENV{TEST_NGINX_HTML} = html_dir();
$ENV{TEST_NGINX_UPSTREAM} = start_upstream();

# nginx itself logs headers of requests at "debug"

log_level('info');
check_accum_error_log();
no_long_string();
no_root_location();


# also for what is evaluated in sections of blocks

sub import {
    GWAuth->export_to_level(1, @_);
    GWAuth->Exporter::export('Test::Base::Filter');
}


add_block_preprocessor(sub {
    my $block = shift;

    if (defined $block->token) {
        two_requests($block);
    }

    if (!defined $block->http_config && !defined $block->must_die) {
        $block->set_value('http_config', http_config());
    }

    if (defined $block->must_die) {
        $block->set_value('request', "GET /\n");
        return;
    }

    my $no = $block->no_error_log;

    if (!defined $no) {
        $block->set_value('no_error_log', "[error]\n[alert]\n[crit]\n");
    }

    remember_secrets($block);
});


add_response_body_check(sub {
    my ($block, $body, $i) = @_;

    my $log = slurp(server_root() . '/logs/error.log');
    my @found = grep { index($log, $_) >= 0 } keys %secrets;

    # UBSan writes to stderr, which is error.log

    push @found, $log =~ /(\S+: runtime error: .*)/g;

    Test::More::is(join(' ', @found), '',
                   $block->name . " - no credential in error.log (req $i)");
});


add_test_cleanup_handler(sub {
    my $block = shift;

    Test::More::is(access_log($block->logged), $block->logged,
                   $block->name . ' - access.log')
        if defined $block->logged;

    Test::More::is(seen(), $block->seen, $block->name . ' - upstream')
        if defined $block->seen;

    spew("$tmp/seen", '');
});


END {
    if ($$ == $owner) {
        my $status = $?;

        for my $pid (keys %children) {
            kill('TERM', $pid);
            waitpid($pid, 0);
        }

        $? = $status;
    }
}


# the issuer and the key of most tests

sub http_config {
    return <<'END_OF_CONFIG';
    gw_auth_provider accounts {
        issuer      https://accounts.test;
        audience    gateway;
        algorithms  RS256 ES256 EdDSA;
        jwks        file=$TEST_NGINX_KEYS/jwks.json;
    }

    gw_passport_key  new $TEST_NGINX_KEYS/passport.pem;
    gw_passport_key  old $TEST_NGINX_KEYS/passport-old.pem;
END_OF_CONFIG
}


sub two_requests {
    my $block = shift;

    my $reason = $block->reason;
    chomp $reason;

    $block->set_value('config', <<'END_OF_CONFIG') if !defined $block->config;
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
END_OF_CONFIG

    my $token = $block->token;
    chomp $token;

    $block->set_value('request', ["GET /\n", "GET /\n"]);
    $block->set_value('more_headers', [bearer($token), bearer(token())]);
    $block->set_value('error_code', [401, 200]);
    $block->set_value('error_log',
        qr/gw auth: refused: $reason(?: (?:by|for) \d+ s)?,/);
    $block->set_value('response_headers', [
        "Content-Type: application/problem+json\n"
        . 'WWW-Authenticate: Bearer realm="gateway", error="invalid_token"',
        '! WWW-Authenticate',
    ]);
    $block->set_value('response_body_like', [
        '\A' . quotemeta(problem('The credential is not valid')) . '\z',
        '\AGET / HTTP/1.0\n',
    ]);
    $block->set_value('response_body_filters', \&request_id);
}


# the body of a 401, with the id of the request taken out of it

sub problem {
    my $detail = shift;

    return '{"type":"about:blank","title":"Unauthorized","status":401,'
           . "\"detail\":\"$detail\",\"request_id\":\"ID\"}\n";
}


sub request_id {
    return shift =~ s/("request_id":")[0-9a-f]{32}"/$1ID"/r;
}


# all parts of a token longer than a word, and who it is about

sub remember_secrets {
    my $block = shift;

    my $more = $block->more_headers // '';
    my @headers = ref $more ? @$more : $more;

    %secrets = ();

    for my $token (map { /(?:Bearer|Basic) +(\S+)/gi } @headers) {
        $secrets{$_} = 1 for grep { length > 12 } split /\./, $token;
    }

    $secrets{alice} = 1 if %secrets;
}


sub bearer {
    return "Authorization: Bearer $_[0]\n";
}


sub expired {
    return token(claims => { exp => time() - 3600 });
}


sub token {
    my %o = @_;

    my $key = $o{key} // 'rsa';
    my $alg = $o{alg} // $alg{$key};
    my $now = time();

    my %header = (alg => $alg, typ => 'JWT', kid => $key,
                  %{$o{header} // {}});

    my %claims = (iss => 'https://accounts.test', aud => 'gateway',
                  sub => 'alice', iat => $now, exp => $now + 3600,
                  tier => 'gold', scope => 'orders:read orders:write',
                  azp => 'web', %{$o{claims} // {}});

    for my $part (\%header, \%claims) {
        delete @$part{grep { !defined $part->{$_} } keys %$part};
    }

    my $input = encode_base64url($o{head} // $json->encode(\%header)) . '.'
                . encode_base64url($o{body} // $json->encode(\%claims));

    return "$input." . encode_base64url(sign($alg, $key, $input, $o{secret}));
}


sub sign {
    my ($alg, $key, $input, $secret) = @_;

    return '' if lc($alg) eq 'none';

    if ($alg =~ /\AHS(\d+)\z/) {
        $secret //= slurp("$ENV{TEST_NGINX_KEYS}/hs.key");

        return {256 => \&hmac_sha256, 384 => \&hmac_sha384,
                512 => \&hmac_sha512}->{$1}->($input, $secret);
    }

    my $file = $key =~ m{/} ? $key : "$ENV{TEST_NGINX_KEYS}/$key.pem";

    spew("$tmp/input", $input);

    if ($alg eq 'EdDSA') {
        return openssl('pkeyutl', '-sign', '-rawin', '-inkey', $file, '-in',
                       "$tmp/input");
    }

    my ($family, $bits) = $alg =~ /\A(RS|PS|ES)(\d+)\z/ or die "no $alg\n";

    my @pss = $family eq 'PS'
        ? ('-sigopt', 'rsa_padding_mode:pss', '-sigopt',
           'rsa_pss_saltlen:digest')
        : ();

    my $sig = openssl('dgst', "-sha$bits", @pss, '-sign', $file,
                      "$tmp/input");

    return $family eq 'ES' ? raw_ecdsa($sig, $bits) : $sig;
}


# SEQUENCE { INTEGER r, INTEGER s } to r and s side by side

sub raw_ecdsa {
    my ($der, $bits) = @_;

    my $half = $bits == 512 ? 66 : $bits / 8;

    $der =~ s/\A\x30(?:[\0-\x7f]|\x81.)//s or die "bad signature\n";

    my ($r, $s) = unpack '(xC/a)2', $der;

    s/\A\0+// for $r, $s;

    return join '', map { ("\0" x ($half - length)) . $_ } $r, $s;
}


# paths of another key than those of TEST_NGINX_KEYS, of the public key of one

sub user_key {
    my ($name, @args) = @_;

    my $file = "$tmp/$name.pem";

    spew($file, openssl('genpkey', @args)) if !-e $file;

    return $file;
}


sub public_key {
    my $file = shift;

    my $public = "$tmp/" . basename($file, '.pem') . '.pub.pem';

    spew($public, openssl('pkey', '-in', $file, '-pubout'));

    return $public;
}


sub certificate {
    return openssl('req', '-x509', '-key', shift, '-subj', '/CN=test');
}


sub openssl {
    my @cmd = ('openssl', @_);

    open(my $olderr, '>&', \*STDERR) or die "$!\n";
    open(STDERR, '>', '/dev/null') or die "$!\n";
    my $ok = open(my $fh, '-|:raw', @cmd);
    open(STDERR, '>&', $olderr) or die "$!\n";

    $ok or die "openssl: $!\n";

    my $out = do { local $/; <$fh> };
    close($fh) or die "@cmd failed\n";

    return $out;
}


sub file {
    return slurp($_[0] =~ m{/} ? $_[0] : "$ENV{TEST_NGINX_KEYS}/$_[0]");
}


sub json {
    return $json->encode($_[0]);
}


# filters of what the upstream has received

# NAME=VALUE of the headers whose name matches, in their order

sub header_lines {
    my $name = shift;

    return sub {
        return join '', map { "$_\n" } grep { /\A$name[:=]/i } split /\n/,
                                                                  shift;
    };
}


# the claims of all passports in a text, verified with the published keys

sub passports {
    return passports_for('orders')->(@_);
}


sub passports_for {
    my $audience = shift;

    return sub {
        my @tokens = shift =~ /^(?:X-|HTTP_X_)PASSPORT[:=] ?(\S*)$/gim;
        my $n = @tokens;

        return "no passport\n" if $n == 0;
        return "$n passports\n" if $n > 1;

        return verified($tokens[0], $audience);
    };
}


sub verified {
    my ($token, $audience) = @_;

    my $now = time();

    spew("$tmp/jwks", get('/jwks'));

    my $pid = open3(my $in, my $out, undef, "$root/t/lib/verify_jwt.py",
                    "$tmp/jwks", $audience, 'ES256');
    print $in $token;
    close($in);

    my $text = do { local $/; <$out> };
    waitpid($pid, 0);

    return "refused: $text" if $? != 0;

    my $found = $json->decode($text);

    return $json->encode(stable($found->{header}, $found->{claims}, $now,
                                $token)) . "\n";
}


# what does not differ from run to run

sub stable {
    my ($header, $c, $now, $token) = @_;

    my ($iat, $nbf, $exp, $jti) = delete @$c{qw(iat nbf exp jti)};

    $c->{header} = $header;
    $c->{ttl} = $exp - $iat;

    $c->{bad} .= ' iat' if $iat > $now || $iat < $now - 50;
    $c->{bad} .= ' nbf' if $nbf != $iat;
    $c->{bad} .= ' jti' if $jti !~ /\A[\w-]{22}\z/;
    $c->{bad} .= ' length' if length $token > 4096;

    return $c;
}


sub get {
    my $path = shift;

    my $sock = IO::Socket::INET->new(PeerAddr => server_addr(),
                                     PeerPort => server_port(),
                                     Timeout => 60) or return '';

    print $sock "GET $path HTTP/1.0\r\n\r\n";

    my $response = do { local $/; <$sock> } // '';

    return $response =~ s/\A.*?\r\n\r\n//sr;
}


# nginx writes a line when the client has the response already

sub access_log {
    my $wanted = shift;

    my $end = time() + 60;
    my $log;

    do {
        select(undef, undef, undef, 0.01) if defined $log;
        $log = slurp(server_root() . '/logs/access.log');
    } while (length $log < length $wanted && time() < $end);

    return $log;
}


# what the upstream was asked since the last block

sub seen {
    return join '', map { "$_\n" } sort map {
        my ($uri) = /\A\S+ (\S+)/;
        my ($scheme) = /^Authorization: (\S+)/mi;
        my @passports = map { audience($_) } /^X-Passport: *(.*)/gmi;

        join ' ', $uri, join('+', @passports) || '-', $scheme // '-';
    } split /\n\n/, slurp("$tmp/seen");
}


sub audience {
    my (undef, $claims) = split /\./, shift;

    my $aud = eval { $json->decode(decode_base64url($claims // ''))->{aud} };

    return ref $aud ? join(',', @$aud) : $aud // 'forged';
}


# the upstream, in a process of its own

sub start_upstream {
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64)
        or die "cannot listen: $!\n";

    spew("$tmp/seen", '');

    child(sub { serve($listen) });

    return $listen->sockport;
}


# an nginx without our modules that takes HTTP/2 and passes it on to the
# upstream; returns its port

sub start_h2 {
    my $port = GWTest::free_port();
    my $nginx = $Test::Nginx::Util::NginxBinary;

    spew("$tmp/nginx.conf", <<"END_OF_CONFIG");
daemon          off;
master_process  off;
pid             $tmp/nginx.pid;
error_log       $tmp/error.log;

events {}

http {
    access_log  off;

    client_body_temp_path   $tmp/body;
    proxy_temp_path         $tmp/proxy;
    fastcgi_temp_path       $tmp/fastcgi;
    scgi_temp_path          $tmp/scgi;
    uwsgi_temp_path         $tmp/uwsgi;
    underscores_in_headers  on;
    ignore_invalid_headers  off;

    server {
        listen  127.0.0.1:$port http2;

        location / {
            proxy_pass  http://127.0.0.1:$ENV{TEST_NGINX_UPSTREAM};
        }
    }
}
END_OF_CONFIG

    my $pid = child(sub {
        exec($nginx, '-e', "$tmp/error.log", '-p', $tmp, '-c',
             "$tmp/nginx.conf");
    });

    # it listens soon, or has ended

    until (IO::Socket::INET->new("127.0.0.1:$port")) {
        waitpid($pid, POSIX::WNOHANG()) == 0
            or die slurp("$tmp/error.log");
        select(undef, undef, undef, 0.01);
    }

    return $port;
}


sub child {
    my $code = shift;

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        $Test::Nginx::Util::InSubprocess = 1;
        $SIG{PIPE} = 'IGNORE';
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);

        eval { $code->() };
        warn $@ if $@;
        POSIX::_exit(0);
    }

    $children{$pid} = 1;

    return $pid;
}


sub serve {
    my $listen = shift;

    my $select = IO::Select->new($listen);

    # the test may be killed

    while (getppid() == $owner) {

        next if !$select->can_read(0.5);

        my $c = $listen->accept() or next;

        eval { answer($c) };
    }
}


sub answer {
    my $c = shift;

    my $first = take($c, 1);

    my ($lines, $reply) = $first =~ /[A-Z]/ ? http($c, $first)
                        : $first eq "\1"    ? fastcgi($c, $first)
                        : $first eq "\0"    ? uwsgi($c, $first)
                                            : scgi($c, $first);

    open(my $log, '>>', "$tmp/seen") or die "$!\n";
    syswrite($log, "$lines\n");
    close($log);

    my ($status) = $lines =~ /status=(\d+)/;
    my ($accel) = $lines =~ /accel=(\S+?)(?: |$)/m;

    $reply->($status // 200, $accel ? "X-Accel-Redirect: $accel\r\n" : '',
             $lines);
}


sub http {
    my ($c, $head) = @_;

    $head .= take($c, 1) until $head =~ /\r\n\r\n\z/;

    take($c, $1) if $head =~ /^Content-Length: *(\d+)/mi;

    return ($head =~ s/\r//gr =~ s/\n\n\z/\n/r, sub {
        my ($status, $more, $body) = @_;

        print $c "HTTP/1.1 $status OK\r\nConnection: close\r\n$more"
                 . "Content-Length: " . length($body) . "\r\n\r\n$body";
    });
}


sub fastcgi {
    my ($c, $first) = @_;

    my $params = '';

    while (1) {
        my (undef, $type, undef, $len, $pad) = unpack 'CCnnC',
                                         $first . take($c, 8 - length $first);
        my $data = take($c, $len);

        take($c, $pad);
        $first = '';

        $params .= $data if $type == 4;
        last if $type == 5 && $len == 0;
    }

    my $lines = '';

    while (length $params) {
        my @len = map {
            my $n = unpack 'C', $params;

            $n = $n & 0x80 ? unpack('N', $params) & 0x7fffffff : $n;
            substr($params, 0, $n > 127 ? 4 : 1) = '';
            $n;
        } 1, 2;

        $lines .= join('=', map { substr($params, 0, $_, '') } @len) . "\n";
    }

    return ($lines, sub {
        my ($status, $more, $body) = @_;

        my $out = "Status: $status\r\n$more\r\n$body";

        print $c join '', map { pack('CCnnCx', 1, @$_) }
                          map { [6, 1, length $_, 0] } $out;
        print $c $out, pack('CCnnCx', 1, 3, 1, 8, 0), "\0" x 8;
    });
}


sub uwsgi {
    my ($c, $first) = @_;

    my (undef, $len) = unpack 'Cv', $first . take($c, 3);
    my $lines = '';
    my @vars = unpack '(v/a)*', take($c, $len);

    $lines .= join('=', splice(@vars, 0, 2)) . "\n" while @vars;

    return ($lines, sub {
        my ($status, $more, $body) = @_;

        print $c "HTTP/1.1 $status OK\r\n$more\r\n$body";
    });
}


sub scgi {
    my ($c, $len) = @_;

    $len .= take($c, 1) until $len =~ s/:\z//;

    my @vars = split /\0/, take($c, $len + 1), -1;
    my $lines = '';

    $lines .= join('=', splice(@vars, 0, 2)) . "\n" while @vars > 1;

    return ($lines, sub {
        my ($status, $more, $body) = @_;

        print $c "Status: $status\r\n$more\r\n$body";
    });
}


sub take {
    my ($c, $len) = @_;

    my $data = '';

    while (length $data < $len) {
        sysread($c, $data, $len - length $data, length $data)
            or die "short read\n";
    }

    return $data;
}


sub slurp {
    my $path = shift;

    open(my $fh, '<:raw', $path) or return '';
    local $/;

    return <$fh> // '';
}


sub spew {
    my ($path, $text) = @_;

    open(my $fh, '>:raw', $path) or die "$path: $!\n";
    print $fh $text;
    close($fh) or die "$path: $!\n";
}


1;
