-- Copyright (C) The nginx gateway modules authors

-- A limiter as it is written with nginx's Lua module, for comparison: the same
-- script in Redis, asked once per request over connections that are kept, and
-- the same header fields.

local redis = require "nginx.redis"

local ngx = ngx
local ceil = math.ceil
local max = math.max

local conf
local text
local policy

local limiter = {}


function limiter.init(options)
    local file = assert(io.open(options.script))

    conf = options
    text = file:read("*a")
    policy = '"calls";q=' .. conf.burst
             .. ";w=" .. ceil(conf.burst * conf.interval / 1000000)

    file:close()
end


local function unavailable(...)
    ngx.log(ngx.ERR, ...)
    return ngx.exit(503)
end


function limiter.access()
    local key = "gw:{" .. ngx.var.http_x_key .. "}:calls"
    local red = redis:new()

    red:set_timeout(1000)

    local ok, err = red:connect("127.0.0.1", conf.port)

    if not ok then
        return unavailable("Redis can't be reached: ", err)
    end

    local reply

    reply, err = red:evalsha(conf.sha, 1, key, "b", conf.interval, conf.burst,
                             1, 0, 1)

    if not reply and err and err:sub(1, 8) == "NOSCRIPT" then
        reply, err = red:eval(text, 1, key, "b", conf.interval, conf.burst,
                              1, 0, 1)
    end

    if not reply then
        return unavailable("Redis: ", err)
    end

    red:set_keepalive(10000, 100)

    local header = ngx.header

    header["RateLimit-Policy"] = policy
    header["RateLimit"] = '"calls";r=' .. reply[2]
                          .. ";t=" .. ceil(reply[4] / 1000000)

    if reply[1] == 0 then
        header["Retry-After"] = max(ceil(reply[3] / 1000000), 1)
        return ngx.exit(429)
    end
end


return limiter
