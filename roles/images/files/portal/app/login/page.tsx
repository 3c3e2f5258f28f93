import { redirect } from "next/navigation";
import { user } from "../../lib/user";
import { Form } from "./form";

export default async function Login() {
  if (await user()) redirect("/");
  return (
    <div className="card narrow">
      <h1>OptiInfra</h1>
      <Form />
    </div>
  );
}
