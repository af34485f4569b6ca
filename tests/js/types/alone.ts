// A page that knows nothing of the SDK's types.
const config: ImpVerify.Config = JSON.parse("{}");
window.ImpVerify.pay(config).then(({ message }) => message.length);
