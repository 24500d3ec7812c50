-- Copyright (C) The nginx gateway modules authors

-- Usage events as they are sent with nginx's Lua module and its Kafka client,
-- for comparison: the same members, from memory, by the producer that does not
-- keep requests waiting.  What the worker dies with is lost.

local cjson = require "cjson.safe"
local producer = require "nginx.kafka.producer"

local ngx = ngx
local date = os.date
local floor = math.floor

local conf
local usage = {}


function usage.init(options)
    conf = options
end


local function now()
    local time = ngx.now()

    return date("!%Y-%m-%dT%H:%M:%S", time)
           .. (".%03dZ"):format(floor(time * 1000) % 1000)
end


function usage.log()
    local var = ngx.var
    local id = var.request_id

    local event = cjson.encode {
        specversion = "1.0",
        id = id,
        source = "bench",
        type = "gw.usage.v1",
        subject = var.http_x_key,
        time = now(),
        datacontenttype = "application/json",
        data = {
            api = "orders",
            method = var.request_method,
            status = ngx.status,
            tier = "gold",
            units = 1,
            bytes_in = tonumber(var.request_length),
            bytes_out = tonumber(var.bytes_sent),
            duration_ms = floor((tonumber(var.request_time) or 0) * 1000),
            upstream_ms = floor((tonumber(var.upstream_response_time) or 0)
                                * 1000),
            limited = false,
            degraded = false,
            request_id = id
        }
    }

    -- one producer for the worker; it drops what it has no room for, which
    -- the script counts

    producer:new({ { host = "127.0.0.1", port = conf.port } },
                 { producer_type = "async" }):send(conf.topic, "bench", event)
end


return usage
