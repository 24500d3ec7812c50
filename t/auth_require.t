# Copyright (C) The nginx gateway modules authors

# gw_auth_require: who may do what, and what those are told who may not.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GWAuth;


our $challenge = 'WWW-Authenticate: Bearer realm="gateway"';
our $forbidden = "$challenge, error=\"insufficient_scope\"";


# the body of a 403, with the id of the request taken out of it

sub forbidden {
    return '{"type":"about:blank","title":"Forbidden","status":403,'
           . '"detail":"The credential does not allow this request",'
           . "\"request_id\":\"ID\"}\n";
}


# locations "/NAME", each with the list of its requirements

sub locations {
    my %require = @_;

    return join '', map { <<"END" } sort keys %require;
    location = /$_ {
        gw_auth_require  $require{$_};
        proxy_pass       http://127.0.0.1:\$TEST_NGINX_UPSTREAM;
    }
END
}


sub who {
    return bearer(token(claims => { @_ }));
}


# a block with "tries" asks for each line "PATH STATUS" in the order given; an
# evaluated one can say [PATH, STATUS, HEADERS], too

add_block_preprocessor(sub {
    my $block = shift;

    return if !defined $block->tries;

    my $headers = $block->as // bearer(token());
    my @tries = map { ref ? $_ : [ split ' ' ] }
                ref $block->tries ? @{$block->tries}
                                  : split /\n/, $block->tries;

    $block->set_value('request', [ map { "GET $_->[0]" } @tries ]);
    $block->set_value('error_code', [ map { $_->[1] } @tries ]);
    $block->set_value('more_headers', [ map { $_->[2] // $headers } @tries ]);
    $block->set_value('no_error_log', "[alert]\n[crit]\n");
    $block->set_value('seen',
                      CORE::join '', map { "$_ - -\n" }
                               sort map { $_->[0] }
                               grep { $_->[1] == 200 } @tries);
});

run_tests();

__DATA__

=== TEST 1: a scope is a word of the list
--- config eval
"gw_auth accounts;\n" . ::locations(
    read => 'scope=orders:read', readall => 'scope=orders:readall',
    write => 'scope=orders:write', rea => 'scope=orders:rea',
    orders => 'scope=orders', colon => 'scope=orders:', other => 'scope=admin',
    upper => 'scope=Orders:read', tail => 'scope=read',
)
--- tries
/read 200
/readall 403
/write 200
/rea 403
/orders 403
/colon 403
/other 403
/upper 403
/tail 403



=== TEST 2: the word is not the beginning of another
--- config eval
"gw_auth accounts;\n" . ::locations(read => 'scope=orders:read')
--- tries eval
[map { my ($scope, $status) = @$_;
       ['/read', $status, ::who(scope => $scope)] }
 ['orders:readall', 403], ['orders:rea', 403], ['xorders:read', 403],
 ['orders:readall orders:read', 200], ['a  orders:read', 200],
 ['orders:read ', 200], [' orders:read', 200], ["orders:read,x", 403],
 ["ORDERS:READ", 403], ['', 403], [' ', 403], [undef, 403]]



=== TEST 3: a scope that is a list
--- config eval
"gw_auth accounts;\n" . ::locations(read => 'scope=orders:read')
--- tries eval
[map { my ($scope, $status) = @$_;
       ['/read', $status, ::who(scope => $scope)] }
 [['a', 'orders:read'], 200], [['orders:readall'], 403], [[], 403],
 [['a orders:read'], 401], [['a', 1], 401], [[['orders:read']], 401],
 [{ 'orders:read' => 1 }, 401]]



=== TEST 4: another claim tells the scope
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
        claims    scope=scp tier=plan;
    }
--- config eval
"gw_auth accounts;\n" . ::locations(read => 'scope=orders:read',
                                    tier => 'tier=gold', plan => 'plan=gold')
--- tries eval
my $scp = ::who(scp => 'orders:read', scope => 'x');
my $scope = ::who(scope => 'orders:read');
my $plan = ::who(plan => 'gold', tier => undef);
[['/read', 200, $scp], ['/read', 403, $scope], ['/tier', 403, $plan],
 ['/plan', 200, $plan], ['/plan', 403, $scp]]



=== TEST 5: alternatives, and several parameters
--- config eval
"gw_auth accounts;\n" . ::locations(
    either => 'scope=admin,orders:read', last => 'scope=x,y,orders:write',
    none => 'scope=x,y', both => 'scope=orders:read scope=orders:write',
    one => 'scope=orders:read scope=admin',
    mixed => 'scope=admin,orders:read tier=silver,gold azp=web',
    wrong => 'scope=admin,orders:read tier=silver,bronze azp=web',
    first => 'scope=admin tier=gold',
)
--- tries
/either 200
/last 200
/none 403
/both 200
/one 403
/mixed 200
/wrong 403
/first 403



=== TEST 6: claims that are text
--- config eval
"gw_auth accounts;\n" . ::locations(
    plan => 'plan=gold', space => '"plan=gold plus"', empty => 'plan=0',
    sub => 'sub=alice', iss => 'iss=https://accounts.test',
    aud => 'aud=gateway', no => 'nobody=x', equal => 'plan=a=b',
)
--- tries eval
[['/plan', 200, ::who(plan => 'gold')], ['/plan', 403, ::who(plan => 'Gold')],
 ['/plan', 403, ::who(plan => 'gold plus')],
 ['/plan', 403, ::who(plan => 'gol')], ['/plan', 403, ::who(plan => 'golden')],
 ['/plan', 403, ::who(plan => '')], ['/plan', 403],
 ['/space', 200, ::who(plan => 'gold plus')],
 ['/space', 403, ::who(plan => 'gold')],
 ['/empty', 403, ::who(plan => '')], ['/empty', 200, ::who(plan => '0')],
 ['/equal', 200, ::who(plan => 'a=b')], ['/equal', 403, ::who(plan => 'a')],
 ['/sub', 200], ['/iss', 200], ['/aud', 200], ['/no', 403]]



=== TEST 7: claims that are numbers
--- config eval
"gw_auth accounts;\n" . ::locations(
    level => 'level=3', minus => 'level=-3', zero => 'level=0',
    text => 'level=three', big => 'level=9007199254740993',
)
--- tries eval
[['/level', 200, ::who(level => 3)], ['/level', 200, ::who(level => '3')],
 ['/level', 403, ::who(level => 30)], ['/level', 403, ::who(level => -3)],
 ['/level', 403, ::who(level => 3.5)], ['/level', 403, ::who(level => '03')],
 ['/minus', 200, ::who(level => -3)], ['/minus', 403, ::who(level => 3)],
 ['/zero', 200, ::who(level => 0)], ['/zero', 403, ::who(level => '')],
 ['/zero', 403, ::who(level => JSON::PP::false())],
 ['/big', 200, ::who(level => 9007199254740993)],
 ['/big', 403, ::who(level => 9007199254740992)]]



=== TEST 8: claims that are booleans
--- config eval
"gw_auth accounts;\n" . ::locations(
    true => 'mfa=true', false => 'mfa=false', one => 'mfa=1',
    null => 'mfa=null',
)
--- tries eval
my ($t, $f) = (JSON::PP::true(), JSON::PP::false());
[['/true', 200, ::who(mfa => $t)], ['/true', 403, ::who(mfa => $f)],
 ['/true', 403, ::who(mfa => 1)], ['/true', 403],
 ['/false', 200, ::who(mfa => $f)], ['/false', 403, ::who(mfa => $t)],
 ['/false', 403], ['/one', 403, ::who(mfa => $t)],
 ['/null', 403], ['/null', 403, bearer(token(body => json({
     iss => 'https://accounts.test', aud => 'gateway', sub => 'alice',
     exp => time() + 60, mfa => undef })))]]



=== TEST 9: claims that are lists
--- config eval
"gw_auth accounts;\n" . ::locations(
    role => 'roles=admin', number => 'roles=3', both => 'roles=a roles=b',
    words => '"roles=a b"',
)
--- tries eval
[['/role', 200, ::who(roles => ['user', 'admin'])],
 ['/role', 200, ::who(roles => 'admin')],
 ['/role', 403, ::who(roles => ['administrator', 'user'])],
 ['/role', 403, ::who(roles => 'user admin')],
 ['/role', 403, ::who(roles => [])],
 ['/role', 403, ::who(roles => [['admin']])],
 ['/role', 403, ::who(roles => { admin => 'admin' })],
 ['/role', 200, ::who(roles => [['x'], {}, 'admin'])],
 ['/number', 200, ::who(roles => [1, 3])],
 ['/number', 403, ::who(roles => [13])],
 ['/both', 200, ::who(roles => ['b', 'a'])],
 ['/both', 403, ::who(roles => ['a'])],
 ['/words', 403, ::who(roles => ['a', 'b'])],
 ['/words', 200, ::who(roles => ['a b'])]]



=== TEST 10: a list is inherited, replaced, and switched off
--- http_config eval
GWAuth::http_config() . 'gw_auth_require scope=http;'
--- config
    gw_auth  accounts;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /own/ {
        gw_auth_require  scope=own;
        proxy_pass       http://127.0.0.1:$TEST_NGINX_UPSTREAM;

        location /own/inner {
            proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        }
        location /own/more {
            gw_auth_require  tier=gold;
            proxy_pass       http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        }
        location /own/off {
            gw_auth_require  off;
            proxy_pass       http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        }
        location /own/if {
            if ($arg_x) {
                set  $y 1;
            }
            proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        }
    }
    location /off {
        gw_auth_require  off;
        proxy_pass       http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- tries eval
my $http = ::who(scope => 'http');
my $own = ::who(scope => 'own', tier => 'silver');
[['/', 200, $http], ['/', 403, $own], ['/', 403],
 ['/own/', 403, $http], ['/own/', 200, $own],
 ['/own/inner', 403, $http], ['/own/inner', 200, $own],
 ['/own/more', 200, $http], ['/own/more', 403, $own],
 ['/own/off', 200, $http], ['/own/off', 200],
 ['/own/if', 403, $http], ['/own/if', 200, $own],
 ['/own/if?x=1', 403, $http], ['/own/if?x=1', 200, $own],
 ['/off', 200], ['/off', 401, '']]



=== TEST 11: what a refused caller is told
--- config eval
"gw_auth accounts;\n" . ::locations(
    scope => 'scope=admin,x', two => 'scope=admin tier=lead scope=audit:x,y',
    claim => 'tier=lead', held => 'scope=orders:read tier=lead',
)
--- request eval
["GET /scope", "GET /two", "GET /claim", "GET /held", "HEAD /scope"]
--- more_headers eval
[(bearer(token())) x 5]
--- error_code eval
[(403) x 5]
--- response_headers eval
my $type = "Content-Type: application/problem+json\n";
["$type$::forbidden, scope=\"admin\"",
 "$type$::forbidden, scope=\"admin audit:x\"",
 "$type$::forbidden", "$type$::forbidden, scope=\"orders:read\"",
 "$type$::forbidden, scope=\"admin\""]
--- response_body_filters eval
\&GWAuth::request_id
--- response_body eval
[(::forbidden()) x 4, '']
--- no_error_log
[alert]
[crit]
[error]
--- seen



=== TEST 12: all characters of a scope
--- config eval
"gw_auth accounts;\n"
. ::locations(odd => q('scope=!#$%&()*+-./:;<=>?@[]^_`{|}~'))
--- request eval
["GET /odd", "GET /odd"]
--- more_headers eval
[bearer(token()), ::who(scope => '!#$%&()*+-./:;<=>?@[]^_`{|}~')]
--- error_code eval
[403, 200]
--- response_headers eval
["$::forbidden, scope=\"!#\$%&()*+-./:;<=>?@[]^_`{|}~\"", '! WWW-Authenticate']



=== TEST 13: a scope that would break the challenge
--- config
    gw_auth_require  'scope=a\"b';
--- must_die
--- error_log
invalid parameter "scope=a"b" of "gw_auth_require"



=== TEST 14: a scope with a control character
--- config eval
"gw_auth_require  \"scope=a\\r\\nX-Injected: 1\";"
--- must_die
--- error_log
of "gw_auth_require"



=== TEST 15: a scope with DEL, with UTF-8, with a tab
--- config eval
"gw_auth_require  'scope=a\x7f';"
--- must_die
--- error_log
of "gw_auth_require"



=== TEST 16: a scope with UTF-8 in an alternative
--- config eval
"gw_auth_require  'scope=a,\xc3\xa9';"
--- must_die
--- error_log
of "gw_auth_require"



=== TEST 17: a claim with a quote is not shown to the client
--- config
    gw_auth  accounts;

    location / {
        gw_auth_require  'plan="' scope=a;
        proxy_pass       http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /"]
--- more_headers eval
[bearer(token()), ::who(plan => '"', scope => 'a')]
--- error_code eval
[403, 200]
--- response_headers eval
["$::forbidden, scope=\"a\"", '! WWW-Authenticate']



=== TEST 18: optional: absent passes, invalid does not, too little does not
--- config
    gw_auth  accounts optional;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /scope {
        gw_auth_require  scope=orders:read;
        proxy_pass       http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /admin {
        gw_auth_require  scope=admin;
        proxy_pass       http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /a", "GET /b", "GET /c", "GET /scope/a", "GET /scope/b", "GET /scope/c",
 "GET /admin", "GET /admin"]
--- more_headers eval
["", bearer(expired()), bearer(token()), "", bearer(expired()),
 bearer(token()), "", bearer(token())]
--- error_code eval
[200, 401, 200, 401, 401, 200, 401, 403]
--- response_headers eval
my $none = '! WWW-Authenticate';
my $bad = "$::challenge, error=\"invalid_token\"";
[$none, $bad, $none, $::challenge, $bad, $none, $::challenge,
 "$::forbidden, scope=\"admin\""]
--- seen
/a - -
/c - -
/scope/c - -



=== TEST 19: satisfy any: whom another lets in passes without an identity
--- http_config eval
GWAuth::http_config() . '
    log_format  who "$uri $gw_subject,$gw_tier,$gw_claim_azp,$gw_auth_provider '
    . '$gw_auth_status";
'
--- config
    access_log   logs/access.log who;
    gw_auth      accounts;
    gw_passport  audience=orders;

    gw_auth_require  scope=admin;

    location /any {
        satisfy      any;
        allow        all;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        proxy_set_header  X-Who "<$gw_subject>";
    }
    location /none {
        satisfy      any;
        deny         all;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /any/a", "GET /any/b", "GET /any/c", "GET /none/a", "GET /none/b"]
--- more_headers eval
[bearer(token()), "", ::who(scope => 'admin'), bearer(token()),
 ::who(scope => 'admin')]
--- error_code eval
[200, 200, 200, 403, 200]
--- response_headers eval
[('! WWW-Authenticate') x 3, "$::forbidden, scope=\"admin\"",
 '! WWW-Authenticate']
--- response_body_like eval
['X-Who: <>', 'X-Who: <>', 'X-Who: <alice>', '"status":403', '\AGET /none/b']
--- no_error_log
[alert]
[crit]
--- logged
/any/a -,-,-,- insufficient_scope
/any/b -,-,-,- missing
/any/c alice,gold,web,accounts ok
/none/a -,-,-,- insufficient_scope
/none/b alice,gold,web,accounts ok
--- seen
/any/a - -
/any/b - -
/any/c orders -
/none/b orders -



=== TEST 20: all methods are asked
--- config eval
"gw_auth accounts;\n" . ::locations(a => 'scope=admin')
--- request eval
[map { ("$_ /a") x 2 } qw(OPTIONS GET POST PUT DELETE PATCH HEAD PROPFIND)]
--- more_headers eval
[("", bearer(token())) x 8]
--- error_code eval
[(401, 403) x 8]
--- seen



=== TEST 21: OPTIONS with what a preflight request says
--- config
    gw_auth  accounts;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["OPTIONS /", "OPTIONS /", "OPTIONS /"]
--- more_headers eval
my $cors = "Origin: https://a.test\nAccess-Control-Request-Method: GET\n";
[$cors, $cors . bearer(expired()), $cors . bearer(token())]
--- error_code eval
[401, 401, 200]
--- seen
/ - -



=== TEST 22: paths that would dodge
--- config
    location /public/ {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /admin {
        gw_auth          accounts;
        gw_auth_require  scope=admin;
        proxy_pass       http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- pipelined_requests eval
[map { "GET $_" }
 qw(/public/../admin /public/%2e%2e/admin /public/.%2e/admin
    /public/%2E./admin /public/x/../../admin /public//../admin
    /public/..//admin //admin ///admin /./admin /%61dmin /admin/
    /admin/../admin /public/..%2fadmin /public/%2e%2e%2fadmin
    /public/%2e%2e%2f%2fadmin?x=/public/ /admin%3f/public/ /admin;/public/
    /admin%23/public/), '/admin#/public/', '/public/a']
--- more_headers eval
[map { my $n = $_; "X-Original-URI: /public/\nX-Rewrite-URL: /public/
X-Forwarded-Uri: /public/\n" . ($n % 2 ? bearer(token()) : '') } 1 .. 20,
 22]
--- error_code eval
[map({ $_ % 2 ? 403 : 401 } 1 .. 20), 200]
--- seen
/public/a - -



=== TEST 23: paths that nginx leaves alone do not reach what is protected
--- config
    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /admin {
        gw_auth          accounts;
        gw_auth_require  scope=admin;
        proxy_pass       http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- pipelined_requests eval
["GET /ADMIN", "GET /%2561dmin", "GET /x/admin", "GET /admin"]
--- more_headers eval
[("") x 4]
--- error_code eval
[200, 200, 200, 401]
--- seen
/%2561dmin - -
/ADMIN - -
/x/admin - -



=== TEST 24: the caller chooses the upstream
--- http_config eval
GWAuth::http_config() . '
    map $gw_tier $by_tier {
        gold     gold;
        default  others;
    }
    map $gw_subject $by_subject {
        ~^a      a-to-m;
        default  n-to-z;
    }
    map $gw_claim_region $by_claim {
        eu       eu;
        "a b"    list;
        42       number;
        true     boolean;
        default  nowhere;
    }
    map "$gw_client|$gw_scope" $by_both {
        "web|orders:read orders:write"  both;
        default                         neither;
    }
' . CORE::join '',
    map { "upstream $_ { server 127.0.0.1:\$TEST_NGINX_UPSTREAM; }\n" }
    qw(gold others a-to-m n-to-z eu list number boolean nowhere both neither)
--- config
    gw_auth  accounts optional;

    proxy_set_header  Host $proxy_host;

    location /tier {
        proxy_pass  http://$by_tier;
    }
    location /subject {
        proxy_pass  http://$by_subject;
    }
    location /claim {
        proxy_pass  http://$by_claim;
    }
    location /both {
        proxy_pass  http://$by_both;
    }
--- request eval
["GET /tier", "GET /tier", "GET /tier", "GET /subject", "GET /subject",
 ("GET /claim") x 6, "GET /both", "GET /both"]
--- more_headers eval
my $true = JSON::PP::true();
[bearer(token()), ::who(tier => 'silver'), "X-Tier: gold\n",
 bearer(token()), ::who(sub => 'zoe'),
 map({ ::who(region => $_) } 'eu', ['a', 'b'], 42, $true, undef), "",
 bearer(token()), ::who(azp => 'cli')]
--- response_body_filters eval
header_lines('Host')
--- response_body eval
[map { "Host: $_\n" } qw(gold others others a-to-m n-to-z eu list number
                         boolean nowhere nowhere both neither)]



=== TEST 25: a location that a redirect leads to asks for its own
--- config
    gw_auth  accounts;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /admin {
        gw_auth_require  scope=admin;
        proxy_pass       http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /try {
        gw_auth_require  scope=orders:read;
        try_files        /none @admin;
    }
    location @admin {
        gw_auth_require  scope=admin;
        proxy_pass       http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /accel=/admin", "GET /accel=/admin", "GET /try", "GET /try"]
--- more_headers eval
my $admin = ::who(scope => 'admin orders:read');
[bearer(token()), $admin, bearer(token()), $admin]
--- error_code eval
[403, 200, 403, 200]
--- seen
/accel=/admin - -
/accel=/admin - -
/admin - -
/try - -
