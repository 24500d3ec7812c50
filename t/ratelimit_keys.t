# Copyright (C) The nginx gateway modules authors

# What a client sends as its key, and what becomes of it in Redis: a name of
# bounded length, inside braces that are the module's own.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


our $long = join '', map { chr(33 + $_ % 94) } 1 .. 65536;


sub digest {
    return '#' . substr sha256_hex(shift), 0, 32;
}


# each key is sent twice, and has to find its own bucket again

add_block_preprocessor(sub {
    my $block = shift;

    my @keys = @{$block->keys_sent};
    my @twice = map { ($_, $_) } @keys;

    my ($n) = $block->name =~ /TEST (\d+)/;

    $block->set_value('config', <<"END");
    large_client_header_buffers  4 128k;

    location = /t.txt {
        gw_ratelimit  test$n key=\$http_x_key rate=1r/d burst=2;
    }
END

    $block->set_value('request', [ ('GET /t.txt') x @twice ]);
    $block->set_value('more_headers', [ map { "X-Key: $_" } @twice ]);
    $block->set_value('error_code', [ (200) x @twice ]);
    $block->set_value('response_headers_like', [
        map { 'RateLimit: "test\d+";r=' . ($_ % 2 ? 0 : 1) . ';.*' }
            0 .. $#twice
    ]);

    # in place of redis, for names that are no words

    $block->set_value('names', [ sort map { "gw:{$_}:test$n" }
                                          @{$block->subjects // \@keys} ]);
});


add_test_cleanup_handler(sub {
    my $block = shift;

    my ($n) = $block->name =~ /TEST (\d+)/;

    my @names = sort @{redis('KEYS', "gw:*:test$n")};

    is("@names", "@{$block->names}", $block->name . ' - names in Redis');
});

run_tests();

__DATA__

=== TEST 1: plain ones are readable in Redis
--- keys_sent eval
['alice', 'a-Z_0.9:x@y|z', '192.0.2.1', '2001:db8::1', '-', '..', '::']



=== TEST 2: 64 characters
--- keys_sent eval
['x' x 64, 'y' x 64]



=== TEST 3: 65 characters
--- keys_sent eval
['x' x 65, 'y' x 65]
--- subjects eval
[map { main::digest($_ x 65) } 'x', 'y']



=== TEST 4: braces
--- keys_sent eval
['{', '}', '{}', '}{', '{alice}', 'alice}:test1', 'x}:test4', '}:test4:{']
--- subjects eval
[map { main::digest($_) } '{', '}', '{}', '}{', '{alice}', 'alice}:test1',
                          'x}:test4', '}:test4:{']



=== TEST 5: blanks and other characters
--- keys_sent eval
['a b', "a\tb", 'a,b', 'a;b', 'a/b', '*', '?', '[a]', '"', "'", '\\', '%00',
 '%0d%0a', '$arg_k', '#', '#' . '0' x 32, '1+1', 'a=b', '~', '<a>', '!', '^']
--- subjects eval
[map { main::digest($_) }
 'a b', "a\tb", 'a,b', 'a;b', 'a/b', '*', '?', '[a]', '"', "'", '\\', '%00',
 '%0d%0a', '$arg_k', '#', '#' . '0' x 32, '1+1', 'a=b', '~', '<a>', '!', '^']



=== TEST 6: bytes beyond ASCII
--- keys_sent eval
["caf\xc3\xa9", "\xe2\x82\xac", "\xff\xfe", "\x80", "\x7f"]
--- subjects eval
[map { main::digest($_) } "caf\xc3\xa9", "\xe2\x82\xac", "\xff\xfe", "\x80",
                          "\x7f"]



=== TEST 7: 64 KiB, and the same with another end
--- keys_sent eval
[$main::long . 'a', $main::long . 'b']
--- subjects eval
[map { main::digest($main::long . $_) } 'a', 'b']
