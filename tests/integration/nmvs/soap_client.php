<?php
// A till's software on PHP's own SoapClient, built from the WSDL alone. Each line of standard input
// is a call as JSON: {"wsdl", "certificate", "authority", "operation", "arguments"}; each line of
// standard output is what came of it: {"result"}, {"fault"} or {"error"}, and the XML that was sent.
declare(strict_types=1);

ini_set('display_errors', 'stderr');
set_error_handler(static function (int $number, string $text): never {
    throw new ErrorException($text);
});

$clients = [];

function client(array $call): SoapClient
{
    global $clients;
    $key = $call['wsdl'] . $call['certificate'];
    return $clients[$key] ??= new SoapClient($call['wsdl'], [
        'soap_version' => SOAP_1_2,
        'cache_wsdl' => WSDL_CACHE_NONE,
        'exceptions' => true,
        'trace' => true,
        'keep_alive' => true,
        'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
        'stream_context' => stream_context_create(['ssl' => array_filter([
            'cafile' => $call['authority'],
            'local_cert' => $call['certificate'],
            'verify_peer' => true,
            'verify_peer_name' => true,
        ])]),
    ]);
}

// What PHP has decoded to bytes that are no text.
function readable(mixed $value): mixed
{
    if (is_string($value)) {
        return preg_match('//u', $value) ? $value : 'base64:' . base64_encode($value);
    }
    return is_iterable($value) || is_object($value) ? array_map('readable', (array) $value) : $value;
}

while (($line = fgets(STDIN)) !== false) {
    $call = json_decode($line, true, 64, JSON_THROW_ON_ERROR);
    $client = null;
    try {
        $client = client($call);
        $answer = $call['operation'] === ''
            ? ['result' => $client->__getFunctions()]
            : ['result' => $client->__soapCall($call['operation'], [$call['arguments']])];
    } catch (SoapFault $fault) {
        $answer = ['fault' => $fault->getMessage(), 'code' => $fault->faultcode];
    } catch (Throwable $error) {
        $answer = ['error' => get_class($error) . ': ' . $error->getMessage()];
    }
    $answer['sent'] = $client?->__getLastRequest();
    $answer['received'] = $client?->__getLastResponse();
    echo json_encode(readable($answer), JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE), "\n";
    flush();
}
