//! Virtual ISA to machine code, by Cranelift.

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{AbiParam, Function, InstBuilder, Signature, UserFuncName, types};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{CompiledCode, Context};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use hotsled_ir::Valid;

use super::body::Body;
use super::group::Shapes;

/// Compiles a module to position-independent machine code without relocations.
///
/// # Errors
/// Why this device cannot run it.
pub(crate) fn compile(module: &Valid) -> Result<Vec<u8>, String> {
    with_compiled(module, |code, _| {
        if code.buffer.relocs().is_empty() {
            Ok(code.code_buffer().to_vec())
        } else {
            Err("the code would call library functions that this device does not have".into())
        }
    })
}

/// How many neighbouring indices run at once; 1 where they run one by one.
pub fn lanes(module: &Valid) -> u8 {
    Shapes::of(module).map_or(1, |shapes| shapes.width().lanes())
}

/// The module in Cranelift's own form.
///
/// # Errors
/// Why this device cannot run it.
pub fn clif(module: &Valid) -> Result<String, String> {
    Ok(function(module, &*isa()?).display().to_string())
}

/// The module's machine code, disassembled.
///
/// # Errors
/// Why this device cannot run it.
pub fn assembly(module: &Valid) -> Result<String, String> {
    with_compiled(module, |code, _| Ok(code.vcode.clone().unwrap_or_default()))
}

fn with_compiled<T>(
    module: &Valid,
    f: impl FnOnce(&CompiledCode, &OwnedTargetIsa) -> Result<T, String>,
) -> Result<T, String> {
    let isa = isa()?;
    let mut context = Context::for_function(function(module, &*isa));
    context.set_disasm(true);
    let code = context
        .compile(&*isa, &mut ControlPlane::default())
        .map_err(|e| e.inner.to_string())?;
    f(code, &isa)
}

fn isa() -> Result<OwnedTargetIsa, String> {
    let mut flags = settings::builder();
    for (name, value) in [
        ("opt_level", "speed"),
        ("enable_verifier", "true"),
        ("is_pic", "true"),
    ] {
        flags.set(name, value).map_err(|e| e.to_string())?;
    }
    let native = cranelift_native::builder()?;
    native
        .finish(settings::Flags::new(flags))
        .map_err(|e| e.to_string())
}

/// `fn(block) -> status`, where `block` holds base, end and two words for each parameter.
fn function(module: &Valid, isa: &dyn cranelift_codegen::isa::TargetIsa) -> Function {
    let mut signature = Signature::new(isa.default_call_conv());
    signature.params.push(AbiParam::new(types::I64));
    signature.returns.push(AbiParam::new(types::I64));
    let mut function = Function::with_name_signature(UserFuncName::user(0, 0), signature);
    let mut context = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let block = builder.block_params(entry)[0];
    Body::new(&mut builder, module, block, isa.default_call_conv()).emit();
    let zero = builder.ins().iconst(types::I64, 0);
    builder.ins().return_(&[zero]);
    builder.seal_all_blocks();
    builder.finalize(isa.frontend_config());
    function
}
